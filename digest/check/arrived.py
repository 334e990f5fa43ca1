"""A mail of ours as it arrived, saved from a mailbox: what the way there has made of it.

The only way to see the signature of a relay: whether it is there, counts for the From line, and
covers the headers of one-click unsubscribing (RFC 8058 §4). What the receiver found, its
Authentication-Results (RFC 8601), is believed; the signature is not verified here once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from email.utils import parseaddr

from digest.check.alignment import Senders
from digest.check.domains import is_aligned
from digest.check.findings import Finding, green, red, yellow
from digest.check.sample import parse
from digest.check.signing import read_tags

ARRIVED = "mail.arrived"

#: without these no mail program shows its button; a relay that takes them out breaks it
_ONE_CLICK = ("List-Unsubscribe", "List-Unsubscribe-Post")
_MUST_BE_SIGNED = frozenset({"from", "list-unsubscribe", "list-unsubscribe-post"})
_METHODS = ("spf", "dkim", "dmarc")
_RESULT = re.compile(r"(?:^|\s)(spf|dkim|dmarc)\s*=\s*([a-z]+)", re.I)
_SIGNER = re.compile(r"\sheader\.[di]\s*=\s*\"?(?:[^\s@\"]*@)?([^\s@\"]+)", re.I)
_COMMENT = re.compile(r"\([^()]*\)")
_NO_FAULT = frozenset({"pass", "bestguesspass", "none", "neutral", "policy", "temperror"})
_ADVICE = {
    "spf": "publish the address that the relay sends from in the SPF record; see dns.spf",
    "dkim": "see dns.dkim; what changes a mail on its way (a footer, a filter) must come before"
    " the signature",
    "dmarc": "either SPF or DKIM must pass for the From domain; see dns.alignment",
}


def judge_arrived(content: bytes, senders: Senders) -> Iterator[Finding]:
    """What is wrong with a mail that arrived; one green finding when nothing is."""
    message = parse(_without_envelope(content))
    _, at, sender = parseaddr(str(message.get("From", "")))[1].lower().rpartition("@")
    if sender != senders.from_domain:
        whose = f"is from {sender}" if at else "has no From line"
        yield red(
            ARRIVED,
            f"the mail {whose}, ours are from {senders.from_domain}",
            "save an edition that has arrived, with all its headers: the source of the mail, or"
            ' "show original" and then "download"',
        )
        return
    faults = [*_judge_headers(message), *_judge_signatures(message, senders)]
    results = _results(message, senders)
    faults += _judge_results(results)
    yield from faults
    if not faults:
        signed = ", ".join(tags["d"] for tags in _aligned(message, senders))
        found = ", ".join(f"{method}={results[method]}" for method in _METHODS if method in results)
        yield green(
            ARRIVED,
            f"the signature of {signed} covers one-click; its receiver says"
            f" {found or 'nothing of SPF, DKIM and DMARC'}",
        )


def _without_envelope(content: bytes) -> bytes:
    """The mail without the line that mbox files put before each."""
    return content.partition(b"\n")[2] if content.startswith(b"From ") else content


def _judge_headers(message: Message) -> Iterator[Finding]:
    if missing := [name for name in _ONE_CLICK if name not in message]:
        yield red(
            ARRIVED,
            f"the mail arrived without {' and '.join(missing)}",
            "if it is an edition, the relay takes them out: have it leave headers alone",
        )


def _signatures(message: Message) -> list[dict[str, str]]:
    """The tags of each DKIM signature that names a domain."""
    values = message.get_all("DKIM-Signature", [])
    tags = [read_tags("".join(str(value).split())) for value in values]
    return [one | {"d": one["d"].lower()} for one in tags if one.get("d")]


def _aligned(message: Message, senders: Senders) -> list[dict[str, str]]:
    """The signatures that count for the From line."""
    return [s for s in _signatures(message) if is_aligned(s["d"], senders.from_domain)]


def _judge_signatures(message: Message, senders: Senders) -> Iterator[Finding]:
    """Whether one of them counts for the From line and covers what it must."""
    ours = senders.from_domain
    advice = f"let the relay sign for {ours}, or set a DKIM key of your own under [mail]"
    all_signed, aligned = _signatures(message), _aligned(message, senders)
    if not all_signed:
        yield red(ARRIVED, "the mail arrived without a DKIM signature", advice)
        return
    if not aligned:
        signers = ", ".join(dict.fromkeys(tags["d"] for tags in all_signed))
        yield red(
            ARRIVED,
            f"the mail is signed by {signers}, which does not count for {ours} (DMARC)",
            advice,
        )
        return
    lacking = [_MUST_BE_SIGNED - _covered(tags) for tags in aligned]
    if all(lacking):
        missing = min(lacking, key=len)
        yield red(
            ARRIVED,
            f"the signature of {aligned[lacking.index(missing)]['d']} does not cover"
            f" {', '.join(sorted(missing))}, so mail programs show no unsubscribe button",
            "add them to the headers that the relay signs, or set a DKIM key of your own under"
            " [mail]",
        )
    if all("l" in tags for tags in aligned):
        yield yellow(
            ARRIVED,
            f"the signature of {aligned[0]['d']} covers only the beginning of the mail (l=)",
            "have the relay sign the whole body: anybody can add to such a mail",
        )


def _covered(tags: dict[str, str]) -> set[str]:
    return {name.lower() for name in tags.get("h", "").split(":")}


def _results(message: Message, senders: Senders) -> dict[str, str]:
    """What the last receiver found, by method; a pass before others, of signatures for the From
    line's domain.

    Only what carries the name of the topmost result counts: anybody can write such a header.
    """
    found: dict[str, str] = {}
    values = [" ".join(str(v).split()) for v in message.get_all("Authentication-Results", [])]
    receivers = [value.partition(";")[0].strip().lower() for value in values]
    for value, receiver in zip(values, receivers, strict=True):
        if receiver != receivers[0]:
            continue
        for told in _COMMENT.sub(" ", value).split(";"):
            if (result := _RESULT.search(told)) is None:
                continue
            method = result[1].lower()
            signer = _SIGNER.search(told) if method == "dkim" else None
            if signer and not is_aligned(signer[1].lower(), senders.from_domain):
                # another's signature that passes does not mend ours
                continue
            if found.get(method) != "pass":
                found[method] = result[2].lower()
    return found


def _judge_results(results: dict[str, str]) -> Iterator[Finding]:
    for method in _METHODS:
        result = results.get(method)
        if result is not None and result not in _NO_FAULT:
            yield red(
                ARRIVED,
                f"the receiver of the mail says {method}={result}",
                _ADVICE[method],
            )
