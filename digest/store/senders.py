"""Which senders of a SQLite database are alive: the kernel knows, and forgets none that dies.

With PostgreSQL, whose senders are on several hosts, only leases tell. Used by digest/deliver/.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from digest.store.engine import Store


@contextmanager
def among_senders(store: Store, recover: Callable[[bool], None]) -> Iterator[None]:
    """Be one of those who send from this database, while the block lasts.

    First calls `recover` with whether it is certain that nobody else sends, so that what is
    `sending` is a dead one's; nobody can join before it returns.
    """
    path = store.path
    if path is None:
        recover(False)
        yield
        return
    with path.with_name(f"{path.name}.senders").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # waits while the first one recovers, and no longer
            fcntl.flock(lock, fcntl.LOCK_SH)
            recover(False)
        else:
            recover(True)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield
