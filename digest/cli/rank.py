"""The ranker as a filter: files in, a file out; no database, no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.base import Config, app, say, warn

if TYPE_CHECKING:
    from digest.embed import Model
    from digest.rank.batch import MakeRanker, Request
    from digest.rank.reader import Text

#: nothing else runs beside it
_THREADS = 2


@app.command()
def rank(
    articles: Annotated[Path, typer.Option(help="id, title, abstract on each line.")],
    pools: Annotated[Path, typer.Option(help="pool, ids, background on each line.")],
    requests: Annotated[Path, typer.Option(help="id, profile, pool or candidates on each line.")],
    output: Annotated[Path, typer.Option(help="id, ranked on each line; .gz is understood.")],
    model: Annotated[
        str | None,
        typer.Option(help="auto (the default), lexical, or a model's folder."),
    ] = None,
    config: Config = None,
) -> None:
    """The ranker as a filter, for evaluation. Reads JSON lines, plain or .gz."""
    from digest.cli.rank_files import read_articles, read_pools, read_requests, write_results
    from digest.rank.batch import rank_requests

    texts = read_articles(articles)
    ids, backgrounds = read_pools(pools, texts)
    asked = read_requests(requests, texts, ids, backgrounds)
    make_ranker = _maker(_model(model, config), _needed(asked, texts, ids))
    answers = rank_requests(asked, articles=texts, pools=ids, make_ranker=make_ranker)
    count = write_results(output, answers)
    say(f"{count:,} requests ranked into {output}")


def _model(named: str | None, config: Path | None) -> Model | None:
    """The model to use; None for words alone."""
    from digest.config import load_settings
    from digest.embed import load_model
    from digest.embed.meaning import find_folder

    # no settings are needed: without --config the model is looked for in ./models
    settings = load_settings(config) if config else None
    setting = named or (settings.rank.model if settings else "auto")
    folder = settings.models_folder if settings else Path("models")
    found = find_folder(setting, folder)
    return load_model(found, threads=_THREADS) if found else None


def _needed(
    requests: Sequence[Request], articles: dict[str, Text], pools: dict[str, tuple[str, ...]]
) -> list[Text]:
    """Every text that some request needs, once, in the order of the articles."""
    ids: set[str] = set()
    for names in {request.background for request in requests}:
        ids.update(*(pools[name] for name in names))
    for request in requests:
        ids.update(request.liked, request.candidates)
    return list(dict.fromkeys(text for article, text in articles.items() if article in ids))


def _maker(model: Model | None, texts: Sequence[Text]) -> MakeRanker:
    """Makes rankers; a model reads every text once, whatever requests it occurs in."""
    from digest.rank import Ranker, RankSettings
    from digest.rank.batch import read_once

    # the pure match: files say nothing of time and votes
    settings = RankSettings(trend_weight=0.0)
    if model is None:
        return lambda background: Ranker.lexical(background, settings)
    name = model.name
    embed = read_once(
        model.embed, texts, lambda n: warn(f"{n:,} of {len(texts):,} texts read by {name}")
    )
    return lambda background: Ranker.semantic(background, embed, settings)
