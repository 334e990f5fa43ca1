"""Fetching a large known file: in pieces, over broken connections, and never the wrong one."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.errors import FetchError
from digest.fetch.download import Wanted, download
from digest.sample.loopback import Answer
from tests.fetching import World, open_hasty_world
from tests.file_server import FileServer

CONTENT = random.Random(7).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_hasty_world(monkeypatch)


@pytest.fixture
def host() -> Iterator[FileServer]:
    with FileServer({"/big": CONTENT}) as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "big"


def wanted(host: FileServer, path: str = "/big", sha256: str = SHA256) -> Wanted:
    return Wanted(url=host.url + path, size=len(CONTENT), sha256=sha256)


def get(world: World, host: FileServer, target: Path, **how: object) -> list[int]:
    told: list[int] = []
    download(
        world.fetcher,
        wanted(host, **how),  # type: ignore[arg-type]  # by name
        target,
        progress=told.append,
        stall_s=0.4,
    )
    return told


def refusal(world: World, host: FileServer, target: Path, **how: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        get(world, host, target, **how)
    assert not target.exists()
    return caught.value


def test_a_file_gets_its_name_when_all_of_it_is_there(
    world: World, host: FileServer, target: Path
) -> None:
    told = get(world, host, target)

    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["big"]
    assert (told[0], told[-1]) == (0, len(CONTENT))
    assert told == sorted(told)
    assert host.asked[0].headers["accept-encoding"] == "identity"


def test_a_broken_connection_is_made_again_where_it_ended(
    world: World, host: FileServer, target: Path
) -> None:
    host.cuts = [100_000, 50_000]

    get(world, host, target)

    assert target.read_bytes() == CONTENT
    first, second, third = host.ranges
    assert first is None
    assert [r and int(r[6:-1]) for r in (second, third)] == [100_000, 150_000]


def test_what_an_earlier_try_has_left_is_gone_on_with(
    world: World, host: FileServer, target: Path
) -> None:
    target.with_name("big.partial").write_bytes(CONTENT[:123_456])

    told = get(world, host, target)

    assert host.ranges == ["bytes=123456-"]
    assert told[0] == 123_456
    assert target.read_bytes() == CONTENT


def test_a_host_that_sends_no_parts_is_asked_for_the_whole(
    world: World, host: FileServer, target: Path
) -> None:
    host.has_ranges = False
    host.cuts = [100_000]

    get(world, host, target)

    assert host.ranges == [None, "bytes=100000-"]
    assert target.read_bytes() == CONTENT


def test_when_nothing_more_comes_what_came_is_kept(
    world: World, host: FileServer, target: Path
) -> None:
    host.cuts = [100_000] + [0] * 9

    error = refusal(world, host, target)

    assert not error.permanent
    assert target.with_name("big.partial").read_bytes() == CONTENT[:100_000]
    assert len(host.asked) == 5, "one that brought something, then four in vain"


def test_the_wrong_file_is_never_used(world: World, host: FileServer, target: Path) -> None:
    host.files["/big"] = CONTENT[:-1] + b"!"

    error = refusal(world, host, target)

    assert error.permanent
    assert "is not the file that was expected" in str(error)
    assert list(target.parent.iterdir()) == [], "nothing of it is kept"


def test_a_spoilt_beginning_is_not_gone_on_with_for_ever(
    world: World, host: FileServer, target: Path
) -> None:
    target.with_name("big.partial").write_bytes(b"?" * 1000)

    refusal(world, host, target)
    get(world, host, target)

    assert target.read_bytes() == CONTENT


def test_more_than_there_should_be_is_thrown_away(
    world: World, host: FileServer, target: Path
) -> None:
    target.with_name("big.partial").write_bytes(CONTENT + b"more")

    get(world, host, target)

    assert host.ranges == [None]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "page",
    [
        Answer(content_type="text/html", body=b"<title>Please log in</title>" * 40),
        Answer(body=iter([CONTENT, b"and more"])),
    ],
    ids=["a page to log in", "a longer file"],
)
def test_a_file_of_another_size_is_refused(
    world: World, host: FileServer, target: Path, page: Answer
) -> None:
    host.instead = [page]

    error = refusal(world, host, target)

    assert error.permanent
    assert "of another size than the 300,000 bytes" in str(error)
    assert len(host.asked) == 1


def test_what_is_not_there_is_said_at_once(world: World, host: FileServer, target: Path) -> None:
    error = refusal(world, host, target, path="/elsewhere")

    assert (error.status, error.permanent, len(host.asked)) == (404, True, 1)


def test_a_host_that_wants_to_be_left_alone_is(
    world: World, host: FileServer, target: Path
) -> None:
    host.instead = [Answer(status=429, headers=(("Retry-After", "90"),))]

    error = refusal(world, host, target)

    assert error.retry_after_s == 90
    assert len(host.asked) == 1


def test_a_part_that_was_not_asked_for_is_refused(
    world: World, host: FileServer, target: Path
) -> None:
    target.with_name("big.partial").write_bytes(CONTENT[:1000])
    part = (("Content-Range", f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"),)
    host.instead = [Answer(status=206, body=CONTENT, headers=part)]

    assert refusal(world, host, target).permanent


def test_it_goes_where_it_is_sent_and_asks_for_the_same_part_there(
    world: World, host: FileServer, target: Path
) -> None:
    target.with_name("big.partial").write_bytes(CONTENT[:1000])
    host.moved["/pinned"] = "/big"

    get(world, host, target, path="/pinned")

    assert [asked.path for asked in host.asked] == ["/pinned", "/big"]
    assert host.ranges[1] == "bytes=1000-"
    assert target.read_bytes() == CONTENT


def test_it_does_not_go_round_in_circles(world: World, host: FileServer, target: Path) -> None:
    host.moved["/round"] = "/round"

    assert refusal(world, host, target, path="/round").permanent
    assert len(host.asked) == 6


def test_requests_keep_the_pause_between_them(world: World, host: FileServer, target: Path) -> None:
    host.cuts = [100_000, 50_000]

    get(world, host, target)

    assert world.clock.slept == [1.0, 1.0]


def test_two_do_not_write_one_file(world: World, host: FileServer, target: Path) -> None:
    import fcntl

    with target.with_name("big.partial").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        error = refusal(world, host, target)

    assert "another process" in str(error)
    assert host.asked == []
