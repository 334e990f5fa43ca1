"""The places that can be asked for listings, one file for each kind.

Kinds are entry points of the group `digest.sources`: a name and a class that is called with the
source's name and its SourceOptions. The built-in kinds are in the same form, so that another
package adds a kind the way this one does. Classes are loaded when first used.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from digest.errors import ConfigError
from digest.sources.base import Source, SourceOptions

__all__ = ["Source", "SourceOptions", "build_source", "source_kinds"]

GROUP = "digest.sources"

_BUILT_IN = {
    kind: EntryPoint(kind, f"digest.sources.{where}", GROUP)
    for kind, where in {
        "huggingface": "huggingface:HuggingFace",
        "arxiv": "arxiv:Arxiv",
        "feed": "feed:Feed",
        "page": "page:Page",
        "github-trending": "github_trending:GithubTrending",
        "hackernews": "hackernews:HackerNews",
        "reddit": "reddit:Reddit",
        "semantic-scholar": "semantic_scholar:SemanticScholar",
    }.items()
}


def source_kinds() -> tuple[str, ...]:
    """The kinds that a `[[source]]` can have, built-in ones first."""
    others = {point.name for point in entry_points(group=GROUP)} - _BUILT_IN.keys()
    return (*_BUILT_IN, *sorted(others))


def build_source(kind: str, name: str, options: SourceOptions) -> Source:
    """The source of that kind. Raises ConfigError when the kind or its options cannot be used."""
    point = _BUILT_IN.get(kind) or next(iter(entry_points(group=GROUP, name=kind)), None)
    if point is None:
        known = ", ".join(source_kinds())
        raise ConfigError([f"source {name!r}: there is no kind {kind!r}; it can be {known}"])
    try:
        make = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            [f"source {name!r}: kind {kind!r} cannot be loaded from {point.value}: {error}"]
        ) from error
    source: Source = make(name, options)
    return source
