"""The certificate that the test's servers show, and who signed it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme

#: the host of the installation's pages
SITE_HOST = "digest.example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """PEM files, made for one run and trusted by nobody who is not told to."""

    #: for localhost and for the site of the test
    certificate: Path
    key: Path
    #: who signed it
    authority: Path


def make_identity(folder: Path) -> Identity:
    """Make a certificate and write it into a folder."""
    made = Identity(
        certificate=folder / "certificate.pem",
        key=folder / "key.pem",
        authority=folder / "authority.pem",
    )
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made.authority)
    server = authority.issue_cert("localhost", "127.0.0.1", SITE_HOST)
    for blob in server.cert_chain_pems:
        blob.write_to_path(made.certificate, append=True)
    server.private_key_pem.write_to_path(made.key)
    made.key.chmod(0o600)
    return made
