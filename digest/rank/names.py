"""Which of the candidates are by an author or in a category, looked up by name.

The rules of which names are one stand in rules.py; here only what can be one is asked. Used by
match.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from digest.model import Wording
from digest.rank.rules import author_names, has_category, same_author
from digest.rank.words import Ids


class Names:
    """The rows of authors and categories."""

    def __init__(self, wordings: Sequence[Wording]) -> None:
        self._by_author: dict[str, set[int]] = defaultdict(set)
        self._by_category: dict[str, set[int]] = defaultdict(set)
        for row, wording in enumerate(wordings):
            for author in wording.authors:
                self._by_author[author].add(row)
            for category in wording.categories:
                self._by_category[category].add(row)
        self._families: dict[str, list[str]] = defaultdict(list)
        for author in self._by_author:
            for name in author_names(author):
                self._families[name[-1]].append(author)

    def by_author(self, name: str) -> Ids:
        """The rows, rising, that have an author who can be that person."""
        near = {a for asked in author_names(name) for a in self._families.get(asked[-1], ())}
        return _rows(self._by_author[author] for author in near if same_author(name, author))

    def in_category(self, name: str) -> Ids:
        """The rows, rising, that stand in a category or below it."""
        return _rows(
            rows for told, rows in self._by_category.items() if has_category((told,), name)
        )


def _rows(found: Iterable[set[int]]) -> Ids:
    return np.array(sorted(set().union(*found)), np.int64)
