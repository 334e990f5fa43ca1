"""What building a message costs, against the usual way in the same run.

    python benchmarks/compose.py [--people 2000] [--items 15] [--pool 200]

Ours: Composer.edition, from an edition to the bytes for the wire, links signed, without DKIM.
The usual way: Jinja2 renders both parts for each reader, css-inline inlines, EmailMessage encodes;
it gets its texts cleaned and its links signed beforehand, free of charge. CPU time of one thread,
medians of several rounds; ratios mean something, absolute numbers are this machine's.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.policy import SMTP

from digest.compose.composer import Composer
from digest.compose.letters import LetterWriter
from digest.compose.links import Links
from digest.compose.pages import Kind, Letter, Pages
from digest.compose.printer import Printer
from digest.model import (
    Edition,
    Entry,
    Parts,
    Pick,
    Reason,
    ReasonKind,
    Section,
    Sheet,
    Site,
    Wording,
)
from digest.templates import Templates
from digest.tokens import Tokens

WORDS = (
    "attention sparse model training language reasoning diffusion policy reward token context long "
    "memory agent benchmark video image learning scaling efficient inference data alignment graph "
    "retrieval code search planning robust causal neural representation we show that the a of to "
    "in and with our method improves over strong baselines by 3.5 points on 12 tasks using less"
).split()
SITE = Site(
    name="Trending Papers",
    url="https://digest.example.org",
    from_name="Trending Papers",
    from_address="digest@example.org",
    postal_address="Example Society, 1 Long Street, 10115 Berlin",
)
ROUNDS = 5
KNOWN = "digest, items known"
USUAL = "Jinja2 + css-inline + EmailMessage"


def sentence(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(WORDS, k=count)).capitalize()


def wordings(chance: random.Random, count: int) -> list[Wording]:
    """Papers of usual size: a title of 10 words, an abstract of 180, 8 authors."""
    return [
        Wording(
            key=f"arxiv:2603.{number:05d}",
            title=sentence(chance, 10),
            abstract=". ".join(sentence(chance, 18) for _ in range(10)) + ".",
            authors=tuple(f"{sentence(chance, 1)} {sentence(chance, 1)}" for _ in range(8)),
            categories=("cs.LG", "cs.CL"),
            url=f"https://arxiv.org/abs/2603.{number:05d}",
            organization=sentence(chance, 2),
            pdf_url=f"https://arxiv.org/pdf/2603.{number:05d}",
            code_url=f"https://github.com/example/paper-{number}",
            discussion_url=f"https://huggingface.co/papers/2603.{number:05d}",
        )
        for number in range(count)
    ]


def editions(
    chance: random.Random, pool: Sequence[Wording], people: int, items: int
) -> list[Edition]:
    """One edition for each person: own picks in own order, own interests, shared trends."""
    made_at = datetime(2026, 3, 12, 6, tzinfo=UTC)
    made = []
    for person in range(people):
        interests = [sentence(chance, 3) for _ in range(3)]
        chosen = chance.sample(range(len(pool)), items + 3)

        def entry(at: int, position: int, section: Section, subject: str) -> Entry:
            trend = Reason(
                kind=ReasonKind.TREND, lead=f"{at + 3} votes in {at % 40 + 1} h, 5× usual"
            )
            own = Reason(kind=ReasonKind.TEXT, lead="your interest", subject=subject)
            return Entry(
                pick=Pick(
                    item_id=at,
                    section=section,
                    position=position,
                    score=0.5,
                    parts=Parts(match=0.5, trend=0.5, freshness=0.5),
                    reasons=(own, trend) if section is Section.PICK else (trend,),
                ),
                wording=pool[at],
                votes=at + 3,
                comments=at % 20,
                stars=at * 7,
            )

        picks = (
            entry(at, n, Section.PICK, chance.choice(interests))
            for n, at in enumerate(chosen[:items], 1)
        )
        rising = (entry(at, n, Section.RISING, "") for n, at in enumerate(chosen[items:], 1))
        made.append(
            Edition(
                id=person + 1,
                subscriber_id=person + 1,
                email=f"reader{person}@example.net",
                zone="Europe/Berlin",
                due_at=made_at,
                made_at=made_at,
                local_on=date(2026, 3, 12),
                entries=tuple(picks),
                rising=tuple(rising),
                considered=len(pool),
                interests=3,
            )
        )
    return made


def afresh(edition: Edition) -> Edition:
    """The same edition with records of its own, as a database gives it."""

    def copied(entry: Entry) -> Entry:
        said = json.loads(json.dumps(dataclasses.asdict(entry.wording)))
        said |= {name: tuple(said[name]) for name in ("authors", "categories")}
        return dataclasses.replace(entry, wording=Wording(**said))

    return dataclasses.replace(
        edition,
        entries=tuple(map(copied, edition.entries)),
        rising=tuple(map(copied, edition.rising)),
    )


class UsualWay:
    """Jinja2, css-inline and EmailMessage for each message; what to say is known beforehand."""

    def __init__(self) -> None:
        self._templates = Templates()

    def edition(self, edition: Edition, letter: Letter, context: dict[str, object]) -> bytes:
        """One message the usual way."""
        render = self._templates.render
        message = EmailMessage(policy=SMTP)
        message["From"] = f"{SITE.from_name} <{SITE.from_address}>"
        message["To"] = edition.email
        message["Subject"] = letter.subject
        message["Message-ID"] = f"<{edition.id}@example.org>"
        message["List-Id"] = f"{SITE.name} <digest.example.org>"
        message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(render("email/edition.txt", context), cte="quoted-printable")
        html = self._templates.inline(render("email/edition.html", context))
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        return message.as_bytes()


def context_of(letter: Letter) -> dict[str, object]:
    """What the templates of a letter are given, ready made."""
    context: dict[str, object] = {}

    class Keeping(Templates):
        def render(self, name: str, given: Mapping[str, object]) -> str:
            context.update(given)
            return ""

    Pages(SITE, Keeping()).whole(Kind.TEXT, letter)
    return context


def cpu_ms(work: Callable[[], int], count: int) -> list[float]:
    """CPU milliseconds for one of `count` messages, for each round."""
    rounds = []
    for _ in range(ROUNDS):
        gc.collect()
        started = time.process_time()
        work()
        rounds.append((time.process_time() - started) * 1000 / count)
    return sorted(rounds)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """What messages cost: CPU milliseconds each, for each round."""

    octets: int
    #: the last one is the reference
    rows: dict[str, list[float]]


def measure(people: int, items: int, pool_size: int) -> Measured:
    """Build messages our way and the usual way."""
    chance = random.Random(7)
    pool = wordings(chance, pool_size)
    made = editions(chance, pool, people, items)
    links = Links(SITE.url, Tokens(["a secret of thirty-two characters!"]))
    templates = Templates()
    composer = Composer(SITE, links, templates)
    writer, printer = LetterWriter(SITE, links, templates), Printer(SITE, templates)
    few = made[: max(people // 20, 20)]
    letters = [(edition, writer.write(edition.sheet(), level=0)) for edition in few]
    fresh = [afresh(edition).sheet() for edition in made]
    sheets = [edition.sheet() for edition in made]
    usual = UsualWay()
    contexts = [context_of(letter) for _, letter in letters]

    def ours(some: Sequence[Sheet], by: Composer = composer) -> int:
        return sum(
            len(by.edition(e, outbox_id=e.id, message_id=f"<{e.id}@example.org>").content)
            for e in some
        )

    for _, letter in letters[:3]:
        for kind in Kind:
            assert b"".join(printer.encode(kind, letter)) == printer.encode_whole(kind, letter)

    def usually() -> int:
        told = zip(letters, contexts, strict=True)
        return sum(len(usual.edition(*pair, context)) for pair, context in told)

    # the people of the test, which a sender never holds all at once, are no garbage to look through
    gc.freeze()
    size = ours(sheets) // len(made)
    rows = {
        KNOWN: cpu_ms(lambda: ours(sheets), len(made)),
        "digest, records fresh from the database": cpu_ms(lambda: ours(fresh), len(made)),
        "digest, first messages of a day": cpu_ms(
            lambda: ours(sheets[: len(few)], Composer(SITE, links, templates)), len(few)
        ),
        USUAL: cpu_ms(usually, len(few)),
    }
    return Measured(octets=size, rows=rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--items", type=int, default=15)
    parser.add_argument("--pool", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="for other programs to read")
    given = parser.parse_args()
    measured = measure(given.people, given.items, given.pool)
    if given.json:
        print(json.dumps(dataclasses.asdict(measured)))
        return
    reference = statistics.median(measured.rows[USUAL])
    print(
        f"{given.people} people x {given.items} of {given.pool} items,"
        f" {measured.octets:,} octets a message"
    )
    print(f"{'':42} {'CPU ms':>8} {'(min-max)':>15} {'x cheaper':>10}")
    for name, rounds in measured.rows.items():
        middle = statistics.median(rounds)
        spread = f"({rounds[0]:.3f}-{rounds[-1]:.3f})"
        print(f"{name:42} {middle:8.3f} {spread:>15} {reference / middle:10.1f}")


if __name__ == "__main__":
    main()
