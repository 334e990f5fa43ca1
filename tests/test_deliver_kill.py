"""The sending process is killed (SIGKILL) and started again: nobody is lost, twins are few and known.

A real `digest send` on a real database, against a server that takes its time, so that messages are
on the wire on all connections. SQLite flushes every commit to the disk (synchronous=FULL, as always).
The hundred lives are forked from a process that has done the importing (tests/zygote.py), which takes
longer than the sending between two kills; all else is the program. $DIGEST_TEST_KILLS asks for more.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from digest.deliver import GROUP, DeliveryRules
from tests.databases import Databases
from tests.fast_sink import FastSink, Step
from tests.killing import CONNECTIONS, Aim, Installation, Killer, Zygote, random_aim
from tests.paths import REPO

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MESSAGES = 2_000
KILLS = int(os.environ.get("DIGEST_TEST_KILLS", "100"))
IN_DOUBT_MAX = CONNECTIONS + GROUP
Install = Callable[[int], Installation]
#: rows that are claimed at once
CLAIM = DeliveryRules(resend=True).claims_max


@pytest.fixture
def sink() -> Iterator[FastSink]:
    with FastSink(answer_after_s=0.002) as started:
        yield started


@pytest.fixture
def install(databases: Databases, sink: FastSink, tmp_path: Path) -> Iterator[Install]:
    """Makes an installation with so many messages that are due."""
    with ExitStack() as made:
        url = databases.fresh()
        made.callback(databases.drop, url)

        def install(count: int) -> Installation:
            site = Installation(tmp_path, url, sink, count=count)
            made.callback(site.close)
            return site

        yield install


def test_killed_a_hundred_times_it_loses_nobody(
    install: Install, sink: FastSink, tmp_path: Path
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    site = install(MESSAGES)
    killer = Killer(sink)
    words = ("send", "--config", str(site.config))
    kills = twins = 0
    with Zygote(tmp_path) as zygote:
        while kills < KILLS:
            before = len(sink.taken)
            killer.aim(zygote.start(*words), random_aim(chance, MESSAGES // KILLS))
            ended = zygote.wait()

            assert ended == -9, f"{kills} kills, seed {seed}: {zygote.said[-2000:]}"
            kills += 1
            # what this life has handed over and could not write down will come a second time
            in_doubt = site.in_doubt(since=before)
            assert in_doubt <= IN_DOUBT_MAX, f"kill {kills}, seed {seed}"
            twins += in_doubt
            site.check_account()
            site.let_leases_end()
        killer.rest()
        zygote.start(*words)
        assert zygote.wait() == 0, zygote.said[-2000:]
    print(f"{kills} kills, {twins} messages in doubt")
    site.check_all_sent(doubled=twins)


# At each single step


def program(site: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    """One run of a program to its end, however that comes."""
    return subprocess.run(
        [sys.executable, *words, str(site.config)],
        cwd=REPO,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def send(site: Installation) -> None:
    """A `digest send` that nobody kills."""
    site.let_leases_end()
    done = program(site, "-m", "digest", "send", "--config")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("when", "states"),
    [("before", {"queued": 200}), ("after", {"queued": 200 - CLAIM, "sending": CLAIM})],
)
def test_killed_around_the_commit_of_a_claim_nothing_was_on_the_wire(
    install: Install, sink: FastSink, when: str, states: dict[str, int]
) -> None:
    site = install(200)

    died = program(site, "-m", "tests.dying", when)

    assert died.returncode == -9, died.stderr
    assert site.states() == states
    assert not sink.taken
    site.check_account()
    send(site)
    site.check_all_sent(doubled=0)


@pytest.mark.parametrize("turn", [1, 40])
@pytest.mark.parametrize("step", Step)
def test_killed_while_a_message_is_on_the_wire(
    install: Install, sink: FastSink, tmp_path: Path, step: Step, turn: int
) -> None:
    site = install(100)
    killer = Killer(sink)
    with Zygote(tmp_path) as zygote:
        at = Aim(steps=turn, step=step)
        killer.aim(zygote.start("send", "--config", str(site.config)), at)
        assert zygote.wait() == -9, zygote.said[-2000:]
        killer.rest()
        in_doubt = site.in_doubt()
        assert in_doubt <= IN_DOUBT_MAX
        # one that was accepted, and whose acceptance nobody has written down
        assert in_doubt >= (step is Step.ANSWERED)
        site.check_account()

        site.let_leases_end()
        zygote.start("send", "--config", str(site.config))
        assert zygote.wait() == 0, zygote.said[-2000:]

    site.check_all_sent(doubled=in_doubt)


def test_killed_while_the_disk_stands_still_no_more_is_in_doubt(
    install: Install, sink: FastSink, tmp_path: Path
) -> None:
    site = install(1_000)
    sink.answer_after_s = 0.02
    with Zygote(tmp_path) as zygote:
        sender = zygote.start("send", "--config", str(site.config))
        sink.wait_until(lambda: len(sink.taken) >= 40)
        with site.writes_held_up():
            # goes on as long as the sender hands over anything more
            taken = -1
            while taken != len(sink.taken):
                taken = len(sink.taken)
                time.sleep(0.3)
            os.kill(sender, signal.SIGKILL)
            assert zygote.wait() == -9
        in_doubt = site.in_doubt()
        assert GROUP <= in_doubt <= IN_DOUBT_MAX

        site.let_leases_end()
        zygote.start("send", "--config", str(site.config))
        assert zygote.wait() == 0, zygote.said[-2000:]

    site.check_all_sent(doubled=in_doubt)


def test_two_senders_at_once_share_the_work(
    install: Install, sink: FastSink, tmp_path: Path
) -> None:
    sink.hold()
    site = install(600)
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    words = ("send", "--config", str(site.config))
    with Zygote(folders[0]) as one, Zygote(folders[1]) as two:
        one.start(*words)
        two.start(*words)
        # neither is done before the other has begun
        sink.wait_until(lambda: sink.held == 2 * CONNECTIONS)
        sink.release()
        ended = (one.wait(), two.wait())

    assert ended == (0, 0), one.said + two.said
    site.check_all_sent(doubled=0)
