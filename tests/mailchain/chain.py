"""The whole way of a mail: our program → Postfix (STARTTLS) → LMTP → Dovecot → IMAP, and back.

Readers live at example.net; what comes back goes to bounces.example.org, which is ours. The
certificate is made for the occasion, and trusted by who is told to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.mailchain.daemons import need_root, reachable_folder
from tests.mailchain.dovecot import Dovecot
from tests.mailchain.identity import Identity, make_identity
from tests.mailchain.postfix import Postfix

READERS_DOMAIN = "example.net"
#: readers that have a mailbox
READERS = tuple(f"{name}@{READERS_DOMAIN}" for name in ("ada", "alan", "grace", "emmy", "sofja"))
#: the relay takes mail for it, the last hop refuses it: 550 5.1.1 comes back as a message
REFUSED_LATER = f"moved@{READERS_DOMAIN}"
#: refused by the relay itself, in its answer to RCPT
UNKNOWN = f"nobody@{READERS_DOMAIN}"
BOUNCE_DOMAIN = "bounces.example.org"
#: where all of `bounce+…@` and `unsub+…@` lands
BOUNCES = f"bounces@{BOUNCE_DOMAIN}"
_OURS = ("bounce", "unsub", "unsubscribe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A running relay and mailbox server."""

    identity: Identity
    postfix: Postfix
    dovecot: Dovecot


@contextmanager
def running_chain() -> Iterator[Chain]:
    """A chain that ends with the block."""
    need_root()
    with reachable_folder() as folder:
        identity = make_identity(folder)
        dovecot = Dovecot(folder / "dovecot", (*READERS, BOUNCES), identity)
        try:
            postfix = Postfix(
                folder / "postfix",
                known=(*READERS, REFUSED_LATER, BOUNCES),
                aliases={f"{name}@{BOUNCE_DOMAIN}": BOUNCES for name in _OURS},
                refusing_domain=READERS_DOMAIN,
                hop=(dovecot.lmtp, dovecot.login),
                identity=identity,
            )
            try:
                yield Chain(identity=identity, postfix=postfix, dovecot=dovecot)
            finally:
                postfix.stop()
        finally:
            dovecot.stop()
