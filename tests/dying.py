"""A sender that dies at one exact step of its own: `python -m tests.dying before|after CONFIG`.

Before or after the commit of the first claim. It is the program's own deliver stage; only its
store, a seam, kills the process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from digest.app import App
from digest.config import load_settings
from digest.model import OutboxState
from digest.store import Store, Transaction
from digest.store.schema import outbox


class DyingStore(Store):
    """Kills its process at the first transaction that leaves rows `sending`."""

    def __init__(self, url: str, *, before_commit: bool) -> None:
        super().__init__(url)
        self._before_commit = before_commit

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with super().write() as tx:
            yield tx
            claimed = select(func.count()).where(outbox.c.state == OutboxState.SENDING)
            has_claimed = tx.execute(claimed).scalar_one() > 0
            if has_claimed and self._before_commit:
                os.kill(os.getpid(), signal.SIGKILL)
        if has_claimed:
            os.kill(os.getpid(), signal.SIGKILL)


def main(when: str, config: Path) -> None:
    app = App(load_settings(config))
    url = app.settings.database.url
    app.__dict__["store"] = DyingStore(url, before_commit=when == "before")
    app.deliverer.deliver(app.transport())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
