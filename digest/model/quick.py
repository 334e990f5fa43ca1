"""Constructors for the records of which there are millions: by position, and nothing is checked.

A frozen dataclass sets its fields one call at a time; these take a third of that. For the loops
that make a record for every pick of every reader: ranking, and making editions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from digest.model.editions import Entry, Parts, Pick

R = TypeVar("R")


def _quick(kind: type[R], *names: str) -> Callable[..., R]:
    """A constructor that takes the fields by position, in this order, and checks nothing."""
    assert names == tuple(field.name for field in fields(kind)), f"{kind} has other fields"  # type: ignore[arg-type]  # a dataclass
    setters = [f"set_{name}(made, {name})" for name in names]
    code = f"def make({', '.join(names)}):\n made = new(kind)\n " + "\n ".join(setters)
    known: dict[str, Any] = {f"set_{name}": getattr(kind, name).__set__ for name in names}
    known |= {"new": object.__new__, "kind": kind}
    exec(f"{code}\n return made", known)  # how dataclasses make theirs
    make: Callable[..., R] = known["make"]
    return make


make_parts = _quick(Parts, "match", "trend", "freshness")
make_pick = _quick(Pick, "item_id", "section", "position", "score", "parts", "reasons")
make_entry = _quick(Entry, "pick", "wording", "votes", "comments", "stars")
