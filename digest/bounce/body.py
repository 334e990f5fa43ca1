"""What a mail system wrote itself: the text of a report before the message that it returns.

Called by the readers beside it, which judge the words.
"""

from __future__ import annotations

import re
from email.message import Message

from digest.bounce.mime import own_parts, text_of

_TEXT_MAX = 8_192
# where a report ends and the message that it returns begins
_COPY = re.compile(
    r"""^[ \t>*|-]{0,80}(?:
      below\ (?:this|the\ next)\ line | this\ is\ a\ copy | here\ is\ (?:a\ copy|your\ returned)
    | (?:the\ )?headers?\ (?:of|and)\ | original\ message | returned\ (?:mail|message)
    | message\ (?:text|headers?)\ follows? | start\ of\ returned | unsent\ message | old\ message:
    | (?:included|enclosed)\ is\ a\ copy | your\ message\ reads | the\ first\ \d{1,4}\ lines
    | mensaje\ original | a\ copy\ of\ (?:the|your) )""",
    re.I | re.X | re.M,
)
# the returned message's own words say nothing about why it came back
_ITS_HEADERS = re.compile(
    r"^[ \t>]{0,20}(?:to|cc|from|subject|sent|date|message-id|received)[ \t]{0,4}:.{0,1000}$",
    re.I | re.M,
)


def report_text(message: Message) -> str:
    """The mail system's own words, decoded, at most 8 KB."""
    pieces = []
    for part in own_parts(message):
        if part.get_content_subtype() == "rfc822-headers":
            break
        text = text_of(part)
        copy = _COPY.search(text)
        pieces.append(text[: copy.start()] if copy else text)
        if copy:
            break
    return _ITS_HEADERS.sub("", "\n".join(pieces)[:_TEXT_MAX])
