"""Dovecot: takes mail by LMTP, keeps it in Maildirs, and gives it by IMAP to who has a password.

It also vouches for logins at the relay. Its users are all there is: mail to others is refused
with 550 5.1.1 at the last hop.
"""

from __future__ import annotations

import imaplib
import shutil
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mailchain.daemons import Daemon, answers, free_port, need_program
from tests.mailchain.identity import Identity

PASSWORD = "a password of the test"
#: the folders of a Maildir that letters are in
_IN_USE = ("new", "cur")

_CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
recipient_delimiter = +
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = username_format=%Lu {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%Lu {folder}/users
  override_fields = uid=nobody gid=nogroup home={folder}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener {folder}/login {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
"""


class Dovecot:
    """A running mailbox server for the users given."""

    def __init__(self, folder: Path, users: tuple[str, ...], identity: Identity) -> None:
        program = need_program("dovecot", package="dovecot-core")
        for service in ("lmtp", "imap"):
            if not Path(f"/usr/lib/dovecot/{service}").exists():
                need_program(f"dovecot-{service}", package=f"dovecot-{service}d")
        folder.mkdir()
        self._mail = folder / "mail"
        self._mail.mkdir()
        shutil.chown(self._mail, "nobody", "nogroup")
        lines = "".join(f"{user}:{{PLAIN}}{PASSWORD}::::::\n" for user in users)
        (folder / "users").write_text(lines, "utf-8")
        self.port = free_port()
        self.lmtp, self.login = folder / "lmtp", folder / "login"
        self._authority = identity.authority
        config = folder / "dovecot.conf"
        config.write_text(
            _CONFIG.format(
                folder=folder,
                certificate=identity.certificate,
                key=identity.key,
                imap_port=self.port,
            ),
            "utf-8",
        )
        self._daemon = Daemon("Dovecot", [program, "-F", "-c", config], folder / "start.log")
        self._daemon.wait_until(
            lambda: answers(self.port) and self.lmtp.exists() and self.login.exists()
        )

    def stop(self) -> None:
        self._daemon.stop()

    @contextmanager
    def _opened(self, user: str, folder: str) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("localhost", self.port, timeout=20) as imap:
            imap.starttls(ssl.create_default_context(cafile=self._authority))
            imap.login(user, PASSWORD)
            state, _ = imap.select(folder)
            assert state == "OK", f"{user} has no folder {folder}"
            yield imap

    def letters(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """Every message in a user's folder, as a mail program fetches it, oldest first."""
        with self._opened(user, folder) as imap:
            return _fetch(imap)

    def wait_for(self, user: str, count: int, *, seconds: float = 30) -> list[bytes]:
        """A user's letters, once there are that many; they are on their way."""
        end = time.monotonic() + seconds
        with self._opened(user, "INBOX") as imap:
            while (found := _count(imap)) < count:
                assert time.monotonic() < end, f"{user} has {found} letters, not {count}"
                time.sleep(0.05)
            assert found == count, f"{user} has {found} letters, not {count}"
            return _fetch(imap)

    def take(self, user: str, count: int, *, seconds: float = 30) -> list[bytes]:
        """Like wait_for, and leaves the mailbox empty."""
        found = self.wait_for(user, count, seconds=seconds)
        self._empty(user)
        return found

    def tidy(self) -> None:
        """Empty every mailbox that has letters, such as a failed test leaves behind."""
        users = {p.parents[1].name for p in self._mail.glob("*/*/*") if p.parent.name in _IN_USE}
        for user in users:
            self._empty(user)

    def _empty(self, user: str) -> None:
        with self._opened(user, "INBOX") as imap:
            if _count(imap):
                imap.store("1:*", "+FLAGS.SILENT", r"(\Deleted)")
                imap.expunge()


def _count(imap: imaplib.IMAP4) -> int:
    imap.noop()
    _, (numbers, *_) = imap.search(None, "ALL")
    return len((numbers or b"").split())


def _fetch(imap: imaplib.IMAP4) -> list[bytes]:
    if not _count(imap):
        return []
    _, answer = imap.fetch("1:*", "(BODY.PEEK[])")
    return [piece[1] for piece in answer if isinstance(piece, tuple)]
