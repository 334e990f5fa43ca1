"""Postfix as the relay: takes mail by SMTP, hands it to Dovecot, and bounces what Dovecot refuses.

All in one folder, no line of it read from the system's own Postfix. Its five doors are those that
relays have: see Postfix.ports. Nothing can leave the machine.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from tests.mailchain.daemons import Daemon, answers, free_port, need_program, need_root, run_tool
from tests.mailchain.identity import Identity

#: what the relay says to RCPT for these local parts of the readers' domain
REFUSALS = {
    "greylisted": "450 4.7.1 come back later",
    "full": "452 4.2.2 the mailbox is full",
    "gone-for-good": "550 5.1.6 has moved, no forwarding address",
    "policy": "550 5.7.1 we do not like your domain",
    "goodbye": "421 4.3.2 shutting down",
}
#: no way to the last hop but this one; the rest of the world is closed
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
myhostname = mx.example.net
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
local_recipient_maps =
local_transport = error:no local mail
default_transport = error:5.4.4 the world is closed in this test
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = inline:{{ {known} }}
virtual_alias_maps = inline:{{ {aliases} }}
virtual_transport = lmtp:unix:{lmtp}
recipient_delimiter = +
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ {refusals} }}
smtpd_data_restrictions = reject_unauth_pipelining
smtpd_forbid_unauth_pipelining = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {login}
smtpd_tls_auth_only = yes
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0s
smtp_dns_support_level = disabled
"""
_DOORS = """\
127.0.0.1:{relay} inet n - n - - smtpd
127.0.0.1:{login} inet n - n - - smtpd
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{tls} inet n - n - - smtpd
    -o smtpd_tls_wrappermode=yes
127.0.0.1:{strict} inet n - n - - smtpd
    -o smtpd_tls_security_level=encrypt
127.0.0.1:{narrow} inet n - n - - smtpd
    -o smtpd_client_connection_count_limit=2
    -o smtpd_client_event_limit_exceptions=
"""
_SERVICES = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A running relay."""

    def __init__(
        self,
        folder: Path,
        *,
        known: tuple[str, ...],
        aliases: Mapping[str, str],
        refusing_domain: str,
        hop: tuple[Path, Path],
        identity: Identity,
    ) -> None:
        """`known` addresses are taken at RCPT, and the `aliases`; `hop` has Dovecot's sockets for
        mail and for logins."""
        need_root()
        program = need_program("postfix", package="postfix")
        #: by name: "relay" for all of this machine, "login" for who logs in, "tls" encrypted from
        #: the first byte, "strict" for nobody who does not encrypt, "narrow" for two connections
        self.ports = {name: free_port() for name in ("relay", "login", "tls", "strict", "narrow")}
        self._log = folder / "maillog"
        for part in ("etc", "spool", "data"):
            (folder / part).mkdir(parents=True)
        shutil.chown(folder / "data", "postfix", "postfix")
        refusals = {f"{who}@{refusing_domain}": said for who, said in REFUSALS.items()}
        settings = _MAIN.format(
            folder=folder,
            domains=", ".join(sorted({a.rpartition("@")[2] for a in (*known, *aliases)})),
            known=_inline(dict.fromkeys((*known, *refusals), "yes")),
            aliases=_inline(aliases),
            refusals=_inline(refusals),
            lmtp=hop[0],
            login=hop[1],
            certificate=identity.certificate,
            key=identity.key,
        )
        (folder / "etc" / "main.cf").write_text(settings, "utf-8")
        doors = _DOORS.format(**self.ports)
        (folder / "etc" / "master.cf").write_text(doors + _SERVICES, "utf-8")
        run_tool([program, "-c", folder / "etc", "check"], folder / "start.log")
        master = ["/usr/lib/postfix/sbin/master", "-c", folder / "etc", "-d"]
        self._daemon = Daemon("Postfix", master, folder / "start.log")
        self._daemon.wait_until(
            lambda: all(map(answers, self.ports.values())) and self._log.exists()
        )

    def stop(self) -> None:
        self._daemon.stop()

    @property
    def log(self) -> str:
        """What it has written down so far."""
        return self._log.read_text("utf-8", "replace")

    def writes(self, words: str, *, since: int) -> bool:
        """Whether it writes those words, or has, behind the first `since` characters of its log."""
        end = time.monotonic() + 5
        while words not in self.log[since:]:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True


def _inline(table: Mapping[str, str]) -> str:
    return ", ".join(f"{{{key} = {value}}}" for key, value in table.items())
