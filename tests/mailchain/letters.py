"""Mails that our composer makes of odd papers: what strangers write in titles and abstracts.

The same ones every time for the same seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from digest.compose.composer import Composer
from digest.mail.dkim import DkimSigner
from digest.model import Entry, Envelope
from tests.mail_pieces import MADE_AT, SITE, composer, edition, entry, wording
from tests.mailchain.chain import BOUNCE_DOMAIN

#: 200 characters before the first path of ours
LONG_URL = "https://digest.example.org/" + "/".join(["a-long-way-down"] * 11)
_TITLES = (
    "Sparse attention that trains",
    "🙂🧪 Emoji all the way 👩‍🔬",
    "انتباه متفرق للنماذج اللغوية",
    "稀疏注意力机制在长上下文语言模型中的高效训练",
    "=?utf-8?q?Not_=66_ours?=",
    "A break\r\nBcc: everybody@example.net\r\n\r\nin the middle",
    r"$\nabla^2$DFT with $10^{-3}$ error & <think> \"quotes\"",
    "Donaudampfschifffahrtsgesellschaftskapitän" * 12,
    ". ",
    "trailing spaces and tabs \t \t ",
    "From here to there: b\u00adreaks, zero\u200bwidth, \u202eturned round",
    "x",
)
_SENTENCES = (
    "We train it. It is fast. ",
    "\n.\n..\n.hidden\n...\n",
    "From the beginning, = signs and =3D codes. ",
    "Σüß 🙂 größer. ",
    "y" * 1500 + " ",
    "https://example.org/" + "path/" * 60 + " ",
    "tab\tand  two spaces \n \n",
    "",
)


def odd_letters(signer: DkimSigner, recipients: Iterator[str], count: int) -> Iterator[Envelope]:
    """`count` signed editions, numbered from 1, each to the next recipient."""
    chance = random.Random(8058)
    composers = [_composer(SITE.url), _composer(LONG_URL)]
    for number in range(1, count + 1):
        made = edition(
            tuple(_entry(chance, place) for place in range(1, chance.randint(2, 6))),
            chance.randint(0, 3),
            id=number,
            subscriber_id=number,
            email=next(recipients),
        )
        letter = chance.choice(composers).edition(
            made.sheet(), outbox_id=number, message_id=f"<letter-{number}@example.org>"
        )
        yield replace(letter, content=signer.sign(letter.content, MADE_AT))


def _composer(url: str) -> Composer:
    return composer(replace(SITE, url=url), bounce_domain=BOUNCE_DOMAIN)


def _entry(chance: random.Random, place: int) -> Entry:
    said = wording(
        place,
        title=chance.choice(_TITLES),
        abstract="".join(chance.choices(_SENTENCES, k=chance.randrange(8))),
        authors=tuple(chance.choices(_TITLES[:5], k=chance.randrange(4))),
        code_url=chance.choice([None, "https://example.org/" + "r" * chance.randrange(300)]),
    )
    return entry(place, said=said)
