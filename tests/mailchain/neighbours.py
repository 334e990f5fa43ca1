"""Other mail servers than Postfix: Exim and OpenSMTPD, unpacked but not installed.

Debian holds one mail server at a time, so their packages lie in a folder each, below
$DIGEST_TEST_MTAS, and are laid over the system for their own processes only (a mount namespace).
No file or user of the machine is changed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mailchain.daemons import Daemon, answers, free_port, need_program, need_root
from tests.mailchain.identity import Identity

FOLDER_VARIABLE = "DIGEST_TEST_MTAS"

_EXIM = """\
primary_hostname = mx.example.net
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/key.pem
smtp_accept_max = 50
smtp_accept_queue_per_connection = 0
queue_run_max = 1
deliver_drop_privilege = true
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
rcpt:
  deny !local_parts = {known}
        message = 5.1.1 there is no such user
  accept domains = example.net
begin routers
all:
  driver = accept
  local_parts = {known}
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail/$local_part_data
  maildir_format
"""
_OPENSMTPD = """\
table known {{ {known} }}
table owners {{ "@" = "nobody" }}
listen on 127.0.0.1 port {port} hostname mx.example.net
action "keep" maildir "{folder}/mail/%{{rcpt.user}}" virtual <owners>
match from any for domain "example.net" rcpt-to <known> action "keep"
"""


class Neighbour:
    """A running mail server that keeps mail for its readers in Maildirs of its own."""

    def __init__(self, name: str, folder: Path, port: int) -> None:
        self.name = name
        self.port = port
        self._folder = folder
        self._daemon: Daemon | None = None

    def start(self, script: Sequence[str]) -> None:
        """Run its start script, whose last line becomes the server, in a namespace of its own."""
        unshare = need_program("unshare", package="util-linux")
        sh = self._folder / "start.sh"
        trial = ["unshare", "--mount", "sh", "-e", "-c", "\n".join(script[:-1])]
        if subprocess.run(trial, capture_output=True, timeout=30).returncode:
            pytest.skip("this machine does not let us lay a package over the system")
        sh.write_text("\n".join(["set -e", *script]), "utf-8")
        self._daemon = Daemon(self.name, [unshare, "--mount", "sh", sh], self._folder / "out.log")
        self._daemon.wait_until(lambda: answers(self.port))

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.stop()

    def tidy(self) -> None:
        """Empty every mailbox, whatever a failed test has left in them."""
        for letter in self._folder.glob("mail/*/new/*"):
            letter.unlink()

    @property
    def log(self) -> str:
        """What it has said so far."""
        files = [self._folder / "out.log", *sorted(self._folder.glob("log/*log"))]
        return "\n".join(file.read_text("utf-8", "replace") for file in files)

    def take(self, user: str, count: int) -> list[bytes]:
        """A reader's messages, once there are that many, oldest first; they are then removed."""
        end = time.monotonic() + 60
        new = self._folder / "mail" / user.partition("@")[0] / "new"
        while len(found := list(new.glob("*"))) < count:
            assert time.monotonic() < end, f"{user} has {len(found)} messages, not {count}"
            time.sleep(0.05)
        letters = [path.read_bytes() for path in found]
        for path in found:
            path.unlink()
        return letters


def start_exim(folder: Path, identity: Identity, known: tuple[str, ...]) -> Neighbour:
    """Exim, with PIPELINING; it knows those users at example.net."""
    tree = _unpacked("exim4", "usr/sbin/exim4")
    running = Neighbour("Exim", folder, free_port())
    script = [*_world(folder, tree, "Debian-exim"), f"exec exim4 -C {folder}/exim.conf -bdf"]
    for source, name in ((identity.certificate, "certificate.pem"), (identity.key, "key.pem")):
        shutil.copy(source, folder / name)
        os.chown(folder / name, _FIRST_UID, _FIRST_UID)
    for part in ("spool", "log", "mail"):
        (folder / part).mkdir()
        os.chown(folder / part, _FIRST_UID, _FIRST_UID)
    names = " : ".join(user.partition("@")[0] for user in known)
    config = _EXIM.format(folder=folder, port=running.port, known=names)
    (folder / "exim.conf").write_text(config, "utf-8")
    running.start(script)
    return running


def start_opensmtpd(folder: Path, known: tuple[str, ...]) -> Neighbour:
    """OpenSMTPD, which has no PIPELINING; it knows those users at example.net.

    Without TLS: Debian 12's build fails in the handshake, with RSA and elliptic keys alike.
    """
    tree = _unpacked("opensmtpd", "usr/sbin/smtpd")
    running = Neighbour("OpenSMTPD", folder, free_port())
    script = [
        *_world(folder, tree, "opensmtpd", "opensmtpq"),
        "mkdir -p -m 0711 /var/spool/smtpd",
        f"mkdir -p {folder}/lib/opensmtpd/empty",
        f"mount -t overlay overlay -o lowerdir={folder}/lib:/var/lib /var/lib",
        f"exec smtpd -d -f {folder}/smtpd.conf",
    ]
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", "nobody", "nogroup")
    names = ", ".join(f'"{user}"' for user in known)
    config = _OPENSMTPD.format(folder=folder, port=running.port, known=names)
    (folder / "smtpd.conf").write_text(config, "utf-8")
    running.start(script)
    return running


#: for users that exist in the namespace only
_FIRST_UID = 64_990


def _unpacked(name: str, program: str) -> Path:
    """Where a server's package lies; skips the test when it is not there."""
    need_root()
    base = os.environ.get(FOLDER_VARIABLE)
    if not base or not (Path(base) / name / program).is_file():
        pytest.skip(f"{name} is not unpacked on this machine ({FOLDER_VARIABLE})")
    return (Path(base) / name).resolve()


def _world(folder: Path, tree: Path, *users: str) -> list[str]:
    """Commands that lay a package over the system, with the users that it wants."""
    for number, user in enumerate(users):
        uid = _FIRST_UID + number
        with (folder / "passwd").open("a") as people, (folder / "group").open("a") as groups:
            people.write(f"{user}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin\n")
            groups.write(f"{user}:x:{uid}:\n")
    for name in ("passwd", "group"):
        with (folder / name).open("a") as added:
            added.write(Path("/etc", name).read_text("utf-8"))
    return [
        f"mount -t overlay overlay -o lowerdir={shlex.quote(str(tree / 'usr'))}:/usr /usr",
        "mount -t tmpfs tmpfs /var/spool",
        "mount -t tmpfs tmpfs /run",
        f"mount --bind {folder}/passwd /etc/passwd",
        f"mount --bind {folder}/group /etc/group",
    ]
