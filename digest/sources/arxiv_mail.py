r"""arXiv's announcements as text: the daily mail of an archive, and its lists of past days.

Blocks between rules, each `\\` header `\\` abstract `\\ (link, size)`; new papers first, then
cross-listings, then replacements without abstracts. The counts in the subject may be blank.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from digest.accents import untex_accents
from digest.errors import ParseError
from digest.model import Announce, Listing, PaperData
from digest.papers import find_arxiv, normal_doi
from digest.sources.answers import BrokenEntry, read_entries
from digest.sources.arxiv_words import is_withdrawn, split_authors
from digest.text import clean

_RULE = re.compile(r"^(?:-{40,}|(?:%+-+){10,}%*)\s*$", re.MULTILINE)
_FIELD = re.compile(r"([A-Z][A-Za-z-]{1,20}):[ \t]*(.*)")
_REPLACED = re.compile(r"replaced with revised version\s+(.*)")
_MAIL_DATE = re.compile(r"\A(?:.*\n){0,20}?Date:\s*(.+)")
_SIZE = re.compile(r"\((\d+)kb(?:,([A-Z]*))?\)\s*$")


def is_announcement(text: str) -> bool:
    r"""Whether a text looks like one: a line that says arXiv: and an id right after a line `\\`."""
    return re.search(r"^\\\\\s*\r?\n(?:Paper \(|arXiv:|/\* )", text, re.MULTILINE) is not None


def parse_announcement(text: str) -> Listing:
    """Read an announcement whole. Raises ParseError when the text is none."""
    text = text.replace("\r\n", "\n")
    if not is_announcement(text):
        raise ParseError(
            "expected an announcement of arXiv, but no block of a paper is in the text"
        )
    head, *blocks = _RULE.split(text)
    stated = _MAIL_DATE.match(head)
    listed_at = _moment(stated[1]) if stated else None
    wanted = [block for block in (head, *blocks) if re.search(r"^(?:Paper|arXiv:)", block, re.M)]
    return read_entries(wanted, lambda block, at: _read_block(block, at, listed_at))


def _read_block(block: str, position: int, listed_at: datetime | None) -> PaperData:
    parts = re.split(r"^\\\\.*$", block, flags=re.MULTILINE)
    header = parts[1] if len(parts) > 1 else block
    fields = _fields(header)
    arxiv = find_arxiv(header.strip().partition("\n")[0].partition("(")[0])
    if arxiv is None:
        raise BrokenEntry(f"no arXiv id in it: {clean(header)[:60]!r}")
    title = untex_accents(clean(fields.get("title", "")))
    if not title:
        raise BrokenEntry(f"{arxiv.id} has no title")
    replaced = _REPLACED.search(header)
    is_cross = "(*cross-listing*)" in header
    abstract = untex_accents(clean(parts[2])) if len(parts) > 3 else ""
    stated = fields.get("date", "")
    comments = clean(fields.get("comments", ""))
    return PaperData(
        title=title,
        url=f"https://arxiv.org/abs/{arxiv.id}",
        abstract=abstract,
        authors=split_authors(clean(fields.get("authors", fields.get("author", "")))),
        arxiv_id=arxiv.id,
        version=arxiv.version,
        doi=normal_doi(clean(fields.get("doi", "")).partition(" ")[0]),
        categories=tuple(fields.get("categories", "").split()),
        published_at=None if replaced else _moment(stated),
        listed_at=listed_at,
        position=position,
        pdf_url=f"https://arxiv.org/pdf/{arxiv.id}",
        announce=_announce(is_replacement=replaced is not None, is_cross=is_cross),
        withdrawn=is_withdrawn(title, abstract, comments)
        or _is_emptied(replaced[1] if replaced else stated),
    )


def _fields(header: str) -> dict[str, str]:
    """The header's fields by lower-case name; a line that begins with a blank goes on."""
    fields: dict[str, str] = {}
    name = ""
    for line in header.splitlines():
        found = _FIELD.match(line)
        if found:
            name = found[1].lower()
            fields.setdefault(name, found[2])
        elif name and line[:1].isspace():
            fields[name] += f" {line.strip()}"
        else:
            name = ""
    return fields


def _announce(*, is_replacement: bool, is_cross: bool) -> Announce:
    if is_replacement:
        return Announce.REPLACE_CROSS if is_cross else Announce.REPLACE
    return Announce.CROSS if is_cross else Announce.NEW


def _is_emptied(stated: str) -> bool:
    """Whether the source was taken away: `(0kb,I)` behind the date."""
    size = _SIZE.search(stated)
    return size is not None and int(size[1]) == 0 and "I" in (size[2] or "")


def _moment(stated: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(_SIZE.sub("", stated).strip())
    except (ValueError, IndexError, TypeError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
