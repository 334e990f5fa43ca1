"""The servers and the installation that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.mailchain.chain import READERS, Chain, running_chain
from tests.mailchain.daemons import reachable_folder
from tests.mailchain.identity import make_identity
from tests.mailchain.neighbours import start_exim, start_opensmtpd
from tests.mailchain.relays import JOERG, Relay, options_for
from tests.mailchain.site import MovedSample, Site


@pytest.fixture(scope="session")
def running() -> Iterator[Chain]:
    """Postfix and Dovecot, for all tests of a process."""
    with running_chain() as started:
        yield started


@pytest.fixture
def chain(running: Chain) -> Chain:
    """The same with empty mailboxes, whatever an earlier test left in them."""
    running.dovecot.tidy()
    return running


@pytest.fixture(scope="module")
def site(running: Chain, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """An installation that has collected papers and has no readers yet; copy it to use it."""
    now = datetime.now(UTC).replace(microsecond=0)
    with MovedSample(now) as sample:
        made = Site(tmp_path_factory.mktemp("site"), running, sample.url, now)
        made.collect(sample)
    return made


# -- servers to send to, with empty mailboxes


@pytest.fixture
def postfix(chain: Chain) -> Relay:
    options = options_for(chain.postfix.ports["relay"], chain.identity.authority)
    return Relay(options, chain.dovecot)


@pytest.fixture(scope="session")
def running_exim() -> Iterator[Relay]:
    with reachable_folder() as folder:
        identity = make_identity(folder)
        (folder / "exim").mkdir()
        server = start_exim(folder / "exim", identity, (*READERS, JOERG))
        try:
            yield Relay(options_for(server.port, identity.authority), server)
        finally:
            server.stop()


@pytest.fixture(scope="session")
def running_opensmtpd() -> Iterator[Relay]:
    with reachable_folder() as folder:
        (folder / "opensmtpd").mkdir()
        server = start_opensmtpd(folder / "opensmtpd", READERS)
        try:
            yield Relay(replace(options_for(server.port), security="none"), server)
        finally:
            server.stop()


@pytest.fixture
def exim(running_exim: Relay) -> Relay:
    running_exim.mailboxes.tidy()
    return running_exim


@pytest.fixture
def opensmtpd(running_opensmtpd: Relay) -> Relay:
    running_opensmtpd.mailboxes.tidy()
    return running_opensmtpd


@pytest.fixture(params=["postfix", "exim", "opensmtpd"])
def relay(request: pytest.FixtureRequest) -> Relay:
    """Each server in turn."""
    found: Relay = request.getfixturevalue(request.param)
    return found
