"""A cache that forgets what was not asked for lately, within a total weight.

Two generations instead of an order of use: a hit costs one look-up, and threads that meet in it
at worst do a piece of work twice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Keeps at least the `weight_max` / 2 put or got last, and at most `weight_max`.

    Values are never None; `weigh` tells the weight of one, always the same.
    """

    def __init__(self, weight_max: int, weigh: Callable[[V], int] = lambda value: 1) -> None:
        self._half = weight_max // 2
        self._weigh = weigh
        self._weight = 0
        self._new: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        value = self._new.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        weight = self._weigh(value)
        if self._weight + weight > self._half and self._new:
            self._old, self._new, self._weight = self._new, {}, 0
        self._new[key] = value
        self._weight += weight
