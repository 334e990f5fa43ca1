r"""TeX in titles and abstracts as text that people read: `$10^{-3}$` as 10⁻³, `\textsc{X}` as X.

Not a TeX engine: what it does not know it leaves readable, and plain text (prices, `<think>`,
snake_case, paths, `~/file`) passes through unharmed. A formula's spaces become no-break spaces,
so that nobody cuts or wraps inside it. Pure; called once for each item of a day.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from digest.compose import symbols
from digest.text import clean

#: TeX beyond this is not looked at: no title or excerpt needs more
_CHARS_MAX = 20_000

_SUSPECT = re.compile(r"[\\$^{]|``|\w~|(?:text|math)[a-z]{2}\{|---")
# a formula as pandoc sees it: no space inside the dollars' edges, no digit after the last one
_MATH = re.compile(
    r"(?<!\\)\$\$(?P<display>[^$]{1,400})(?<!\\)\$\$"
    r"|(?<![\\$])\$(?P<inline>(?![\s$])[^$]{0,300}?(?<![\s\\]))\$(?![\d$])"
    r"|\\\((?P<round>.{1,400}?)\\\)"
    r"|\\\[(?P<square>.{1,400}?)\\\]"
)
#: words of a sentence between two dollar signs: those are prices
_PROSE = re.compile(r"(?<![\\a-zA-Z{])[a-z]{3,}(?![a-zA-Z({])")
_LOST_BACKSLASH = re.compile(
    r"(?<![\\a-zA-Z])(?=(?:text(?:tt|bf|it|sc|rm|sf)|math(?:cal|bb|rm|bf))\{)"
)
_TIE = re.compile(r"(?<=[^\W\d_])~(?=[\w\\$])|(?<=[.,\d])~(?=[^\W\d_])")
_QUOTES = re.compile(r"``(.+?)(?:''|\")")
# {\it vs.} and {\sigma}: braces that only hold a command's reach
_GROUP = re.compile(r"\{\s*\\(?:em|it|bf|sc|tt|rm|sf|sl)\b\s*([^{}]*)\}|\{(\\[a-zA-Z]+)\}")
_COMMAND = re.compile(r"\\([a-zA-Z]+)\*?[ ]?|\\(.)")
_ESCAPED = "%&_$#{}"
#: what stands for signs that are done with; noncharacters, which a cleaned text never holds
_PLACE = {sign: chr(0xFDE0 + at) for at, sign in enumerate(_ESCAPED + "^")}
_UNPLACE = {ord(place): char for char, place in _PLACE.items()}


def readable(text: str) -> str:
    """`text` on one line with its TeX turned into Unicode; never raises, loses no plain word."""
    text = clean(text)
    if not _SUSPECT.search(text):
        return text
    head, tail = text[:_CHARS_MAX], text[_CHARS_MAX:]
    head = _LOST_BACKSLASH.sub(r"\\", head)
    for sign in _ESCAPED:
        head = head.replace("\\" + sign, _PLACE[sign])
    parts: list[str] = []
    end = 0
    for match in _MATH.finditer(head):
        formula = next(g for g in match.groups() if g is not None)
        if match["inline"] is not None and _is_money(formula):
            continue
        parts += [_prose(head[end : match.start()]), _formula(formula)]
        end = match.end()
    parts.append(_prose(head[end:]))
    result = unicodedata.normalize("NFC", "".join(parts)).translate(_UNPLACE)
    return re.sub("[ ]{2,}", " ", result + tail).strip()


def _is_money(formula: str) -> bool:
    return " " in formula and bool(_PROSE.search(formula)) and formula[0].isdigit()


def _prose(text: str) -> str:
    """Text between formulas: commands and accents, quotes, ties, bare powers."""
    if not text:
        return text
    text = _QUOTES.sub("“\\1”", text)
    text = _TIE.sub(" ", text)
    text = re.sub(r"(?<=\w)---(?=\w)| --- ", "—", text)
    text = re.sub(r"(?<=\d)--(?=\d)", "–", text)
    text = _GROUP.sub(lambda m: m[1] if m[2] is None else m[2], text)
    text = re.sub(r"(?<=[\w)\]])\\\\ ?(?= |$)|\\ ", " ", text)
    if "\\" in text:
        text = _expand(text, in_formula=False)
    return _bare_scripts(text)


def _formula(text: str) -> str:
    """A formula in one line, its spaces made unbreakable."""
    text = text.replace("~", " ").replace("\\\\", " ")
    text = _expand(text, in_formula=True)
    text = _scripts(text.replace("&", " "))
    text = text.replace("{", "").replace("}", "").replace("'", "′")
    text = re.sub(r"(?<![\w])-(?=\d)", "−", text)
    return "\u00a0".join(text.split())


def _expand(text: str, *, in_formula: bool) -> str:
    """Turn every command into what it shows; inner ones first come out when outer ones do."""
    out: list[str] = []
    at = 0
    while match := _COMMAND.search(text, at):
        out.append(text[at : match.start()])
        name, sign = match[1], match[2]
        if name:
            shown, at = _named(text, match, in_formula=in_formula)
        else:
            shown, at = _signed(text, sign, match.end(), in_formula=in_formula)
        out.append(shown)
    out.append(text[at:])
    return "".join(out)


def _named(text: str, match: re.Match[str], *, in_formula: bool) -> tuple[str, int]:
    """What `\\name` shows, and where the text goes on."""
    name, at = match[1], match.end()
    spaced = match[0].endswith(" ")
    if name in symbols.SHOWN or name in symbols.OVER or name in ("frac", "tfrac", "dfrac", "sqrt"):
        return _with_arguments(name, text, at, in_formula=in_formula)
    if name == "mathbb":
        argument, at = _argument(text, at)
        return "".join(symbols.BLACKBOARD.get(c, c) for c in argument), at
    if name in symbols.HIDDEN:
        return "", at
    if name in symbols.SPACES:
        return " ", at
    after = " " if spaced and (not in_formula or at < len(text)) else ""
    if name in symbols.SYMBOLS and (in_formula or len(name) > 1):
        return symbols.SYMBOLS[name] + after, at
    if not in_formula and name in symbols.LETTER_ACCENTS and text[at : at + 1] == "{":
        argument, at = _argument(text, at)
        return argument[:1] + symbols.LETTER_ACCENTS[name] + argument[1:], at
    before = text[match.start() - 1 : match.start()]
    if in_formula or (len(name) > 1 and (not before or before in " ([,;“‘\"'-/\u00a0")):
        argument, end = _argument(text, at) if text[at : at + 1] == "{" else ("", at)
        inner = _expand(argument, in_formula=in_formula)
        return name + (f" {inner}" if inner else "") + after, end
    return match[0], at


def _with_arguments(name: str, text: str, at: int, *, in_formula: bool) -> tuple[str, int]:
    """What a command with arguments shows."""
    if name in symbols.SHOWN and text[at : at + 1] != "{":
        return "", at
    first, at = _argument(text, at)
    if name in symbols.DROPPED:
        return "", at
    if name in symbols.SECOND:
        second, at = _argument(text, at)
        first = second or first
    first = _expand(first, in_formula=in_formula)
    if name in symbols.OVER:
        return first[:1] + symbols.OVER[name] + first[1:] if first else "", at
    if name == "sqrt":
        return "√" + (first if len(first) == 1 else f"({first})"), at
    if name.endswith("frac"):
        second, at = _argument(text, at)
        return f"{_factor(first)}/{_factor(_expand(second, in_formula=in_formula))}", at
    if name == "footnote":
        return f" ({first})", at
    return first, at


def _factor(text: str) -> str:
    return text if re.fullmatch(r"[\w.]*", text) else f"({text})"


def _argument(text: str, at: int) -> tuple[str, int]:
    """The braced group at `at`, or the next character; and where the text goes on."""
    if text[at : at + 1] != "{":
        return text[at : at + 1], min(at + 1, len(text))
    depth = 0
    for end in range(at, min(len(text), at + 2_000)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[at + 1 : end], end + 1
    return "", at + 1


def _signed(text: str, sign: str, at: int, *, in_formula: bool) -> tuple[str, int]:
    r"""What `\` with a sign shows: accents, spaces, delimiters; else both as they stand."""
    if not in_formula and sign in symbols.ACCENTS:
        letter, end = _argument(text, at)
        letter = {"\\i": "i", "\\j": "j"}.get(letter.strip(), letter)
        if letter == "\\" and text[end : end + 1] in ("i", "j"):
            letter, end = text[end], end + 1
        if letter[:1].isalpha():
            return letter[0] + symbols.ACCENTS[sign] + letter[1:], end
    if sign == "|":
        return "‖", at
    if sign in ",;:! \\/":
        return (" " if sign in ";: \\" else "") if in_formula else (" " if sign in ", " else ""), at
    return "\\" + sign, at


#: written out rather than set small: nobody reads vᵣₑₐₛₒₙ
_WORD = re.compile(r"[a-zA-Z]{3}")
_SCRIPT = re.compile(r"([\^_])(?:\{([^{}]*)\}|([^\s{}\\^_]))")


def _scripts(text: str) -> str:
    """Powers and indices of a formula, innermost groups first."""
    for _ in range(4):
        changed = _SCRIPT.sub(lambda m: _script(m[1], m[2] if m[3] is None else m[3]), text)
        if changed == text:
            break
        text = changed
    return text


def _script(kind: str, body: str) -> str:
    """One power or index in small characters, or after its sign when Unicode has none."""
    table: Mapping[str, str] = symbols.SUPERSCRIPT if kind == "^" else symbols.SUBSCRIPT
    tight = body.replace(" ", "")
    if all(c in table for c in tight) and not _WORD.search(tight):
        return "".join(table[c] for c in tight)
    shown = " ".join(body.split())
    sign = _PLACE[kind]
    return f"{sign}{shown}" if re.fullmatch(r"[\w.]*", shown) else f"{sign}({shown})"


_BARE = re.compile(
    r"(?<=[\w)\]])\^(?:\{([^{}]{1,40})\}|([-+]?\d+|[a-zA-Z*](?![a-zA-Z])))|(?<=\w)_\{([^{}]{1,40})\}"
)


def _bare_scripts(text: str) -> str:
    """Powers outside of dollars: C^3, 2^{128}, V_{0.5}; snake_case and x^ab stay."""
    if "^" not in text and "_{" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        power, short, index = match.groups()
        if index is not None:
            return _script("_", index)
        return _script("^", power if power is not None else short)

    return _BARE.sub(replace, text)
