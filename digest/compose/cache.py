"""A cache that forgets what was not asked for lately, within a total weight.

Two generations instead of an order of use: a hit costs one look-up, and threads that meet in it
at worst do a piece of work twice.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Keeps at least the `weight_max` / 2 put or got last, and at most `weight_max`."""

    def __init__(self, weight_max: int) -> None:
        self._half = weight_max // 2
        self._weight = 0
        self._new: dict[K, tuple[V, int]] = {}
        self._old: dict[K, tuple[V, int]] = {}

    def get(self, key: K) -> V | None:
        entry = self._new.get(key)
        if entry is None:
            entry = self._old.get(key)
            if entry is None:
                return None
            self.put(key, *entry)
        return entry[0]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        if self._weight + weight > self._half and self._new:
            self._old, self._new, self._weight = self._new, {}, 0
        self._new[key] = (value, weight)
        self._weight += weight
