"""What an operator may set about ranking; see config.example.toml, [rank] and [edition].

Pure values; digest/app.py fills them from the configuration, everything in digest/rank reads them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from digest.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSettings:
    """How much time, trend and variety count beside the match."""

    #: an item's freshness halves with every such span since it was first listed
    half_life_hours: float = 72.0
    #: 0…1: how strongly a pick pushes down others on the same thing; 0 never does
    diversity: float = 0.3
    #: 0…1: how much trend and freshness count; 0 gives the pure match
    trend_weight: float = 0.3
    #: 0…1: a lower score means "not for you"
    min_score: float = 0.25

    def __post_init__(self) -> None:
        if not (math.isfinite(self.half_life_hours) and self.half_life_hours > 0):
            raise BadInput("rank.half_life_hours must be a number of hours above 0")
        for name in ("diversity", "trend_weight", "min_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadInput(f"{name} must be between 0 and 1")
