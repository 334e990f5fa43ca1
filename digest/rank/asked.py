"""One person's question to a pool: what they want, what they had, how much they take."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from digest.model import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is picked for, as Pool.pick_many takes it."""

    profile: Profile
    limit: int = 12
    #: ids of the items that this person had before
    seen: Collection[int] = ()
    #: how many items outside the interests are shown among the rising
    rising: int = 5
