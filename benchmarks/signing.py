"""What a DKIM signature costs, against the bare signature in the same run.

    python benchmarks/signing.py [--items 15] [--rounds 9]

The bare signature is what `cryptography` needs for the key alone; ours adds parsing, canonical
forms and the hash of the body. dkimpy is the usual way. CPU time of one thread, medians of rounds
in which each has its turn; only ratios inside one run mean anything.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable

import dkim
from compose import SITE, editions, wordings
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digest.compose.composer import Composer
from digest.compose.links import Links
from digest.mail.dkim import DkimSigner
from digest.templates import Templates
from digest.tokens import Tokens

BARE, OURS = "bare RSA-2048", "RSA-2048"


def cpu_ms(work: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times * 1000


def edition_of(items: int) -> bytes:
    """A mail as digest makes it: text parts are indented, which relaxed forms have to undo."""
    chance = random.Random(7)
    (edition,) = editions(chance, wordings(chance, 50), 1, items)
    composer = Composer(SITE, Links(SITE.url, Tokens(["a secret of some length"])), Templates())
    return composer.edition(edition.sheet(), outbox_id=1, message_id="<1@example.org>").content


def measure(message: bytes, rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds of each way, for each round."""
    rsa_key = rsa.generate_private_key(65537, 2048)
    ed_key = ed25519.Ed25519PrivateKey.generate()
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    rsa_signer = DkimSigner("example.org", "mail", rsa_key.private_bytes(*form))
    ed_signer = DkimSigner("example.org", "ed", ed_key.private_bytes(*form))
    short = message[:1500]
    work: dict[str, tuple[Callable[[], object], int]] = {
        BARE: (lambda: rsa_key.sign(short, PKCS1v15(), hashes.SHA256()), 200),
        OURS: (lambda: rsa_signer.sign(message), 200),
        "Ed25519": (lambda: ed_signer.sign(message), 400),
        "dkimpy RSA-2048": (lambda: dkim.sign(message, b"mail", b"example.org", pem), 10),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, (call, times) in work.items():
            taken[name].append(cpu_ms(call, times))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="for other programs to read")
    arguments = parser.parse_args()
    message = edition_of(arguments.items)
    taken = measure(message, arguments.rounds)
    if arguments.json:
        print(json.dumps(taken))
        return
    bare = statistics.median(taken[BARE])
    print(f"{len(message)} bytes      CPU ms (min-max)         x bare")
    for name, samples in taken.items():
        middle = statistics.median(samples)
        spread = f"({min(samples):.3f}-{max(samples):.3f})"
        print(f"{name:17}{middle:8.3f} {spread:18}{middle / bare:6.2f}")


if __name__ == "__main__":
    main()
