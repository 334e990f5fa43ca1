"""flufl.bounce's own collection of bounces, read by us: expectations are in tests/bounces/corpus.txt.

The collection is in the package's source archive only. To have it: `pip download --no-deps
--no-binary :all: flufl.bounce`, unpack, and name its tests/data in $DIGEST_TEST_BOUNCE_CORPUS.
"""

from __future__ import annotations

import os
from email import message_from_bytes
from pathlib import Path

import pytest
from flufl.bounce import all_failures

from digest.bounce import read_report
from digest.model import BounceKind
from tests.bounce_samples import FOLDER

VARIABLE = "DIGEST_TEST_BOUNCE_CORPUS"
CORPUS = Path(os.environ.get(VARIABLE, ""))

pytestmark = pytest.mark.skipif(
    not os.environ.get(VARIABLE), reason=f"${VARIABLE} names no collection of bounces"
)
EXPECTED = [
    line.split()
    for line in (FOLDER / "corpus.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize(("name", "kind", "status", "recipients"), EXPECTED)
def test_a_message_of_the_collection_is_read(
    name: str, kind: str, status: str, recipients: str
) -> None:
    found = read_report((CORPUS / f"{name}.txt").read_bytes())

    code = next((f.status for f in found.failures if f.kind is found.kind and f.status), "-")
    assert (found.kind.value, code, len(found.failures)) == (kind, status, int(recipients))


@pytest.mark.parametrize("name", [row[0] for row in EXPECTED])
def test_no_address_that_flufl_bounce_finds_is_missed(name: str) -> None:
    raw = (CORPUS / f"{name}.txt").read_bytes()
    delayed, failed = all_failures(message_from_bytes(raw))

    found = read_report(raw)

    named = {a.lower() for failure in found.failures for a in failure.addresses}
    assert {a.decode().lower() for a in delayed | failed} <= named
    if delayed and not failed:
        assert found.kind is BounceKind.DELAYED


def test_the_whole_collection_is_here_and_understood() -> None:
    files = {path.stem for path in CORPUS.glob("*.txt")}
    unknown = {row[0] for row in EXPECTED if row[1] == BounceKind.UNKNOWN}

    assert files >= {row[0] for row in EXPECTED}
    # the one is a person's mail that only looks like a report; the other names no recipient
    assert unknown == {"groupwise_03", "dumbass_01"}
