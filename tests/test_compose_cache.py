"""The cache forgets what is not asked for."""

from __future__ import annotations

from digest.compose.cache import Cache


def test_it_keeps_what_was_put() -> None:
    cache: Cache[str, int] = Cache(10)
    cache.put("a", 1)

    assert cache.get("a") == 1
    assert cache.get("b") is None


def test_it_never_holds_more_than_its_weight() -> None:
    cache: Cache[int, int] = Cache(100, weigh=lambda value: 10)
    for number in range(1_000):
        cache.put(number, number)

    assert sum(cache.get(n) is not None for n in range(1_000)) <= 10


def test_what_is_asked_for_again_and_again_stays() -> None:
    cache: Cache[int, int] = Cache(100)
    cache.put(-1, 7)
    for number in range(1_000):
        cache.put(number, number)
        assert cache.get(-1) == 7


def test_something_heavier_than_all_is_still_kept_while_it_is_the_last() -> None:
    cache: Cache[str, int] = Cache(10, weigh=lambda value: 1_000)
    cache.put("heavy", 1)

    assert cache.get("heavy") == 1
