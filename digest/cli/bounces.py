"""`digest bounces …`: what came back, why an address is not mailed any more, and undoing that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.base import (
    AsJson,
    At,
    Config,
    app,
    moment_text,
    opened,
    print_json,
    say,
    table,
    warn,
)
from digest.errors import BadInput, UsageError

if TYPE_CHECKING:
    from digest.model import BounceKind
    from digest.store.bounces import Bounce

group = typer.Typer()
app.add_typer(group, name="bounces")

Email = Annotated[str | None, typer.Argument(help="Only what is about this address.")]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="hard, soft, policy or complaint; repeatable.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")]


@group.callback(invoke_without_command=True)
def bounces(context: typer.Context, config: Config = None, as_json: AsJson = False) -> None:
    """What came back, and undoing what it led to.

    Alone it is the same as `digest bounces list`.
    """
    if context.invoked_subcommand is None:
        list_(config=config, as_json=as_json)
    elif config or as_json:
        raise UsageError(f"write options behind `bounces {context.invoked_subcommand}`")


@group.command("list")
def list_(
    email: Email = None,
    kind: Kinds = None,
    limit: Limit = 50,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """What came back, newest first."""
    from digest.addresses import parse_address
    from digest.store.bounces import latest_bounces

    kinds = [_read_kind(name) for name in kind or ()]
    key = parse_address(email).key if email else None
    with opened(config) as parts, parts.store.read() as tx:
        found = latest_bounces(tx, kinds=kinds, address_key=key, limit=limit)
    if as_json:
        print_json([_shown(bounce) for bounce in found])
    elif not found:
        say("nothing came back")
    else:
        rows = [(b.id, b.at, b.kind, b.status, b.email, b.person, _effect(b)) for b in found]
        say(table(rows, ("id", "read", "kind", "status", "address", "person", "effect")))


def _read_kind(name: str) -> BounceKind:
    from digest.model import BounceKind

    known = (BounceKind.HARD, BounceKind.SOFT, BounceKind.POLICY, BounceKind.COMPLAINT)
    if name not in known:
        raise BadInput(f"there is no kind {name!r} of bounce; kinds: {', '.join(known)}")
    return BounceKind(name)


def _effect(bounce: Bounce) -> str:
    """What it led to, as far as that still holds."""
    from digest.model import BounceKind

    if bounce.forgiven_at is not None:
        return f"{bounce.effect}, undone" if bounce.effect else "undone"
    if bounce.effect:
        return bounce.effect
    return "nothing: it is about us" if bounce.kind is BounceKind.POLICY else "counts"


def _shown(bounce: Bounce) -> dict[str, Any]:
    return {
        "id": bounce.id,
        "at": moment_text(bounce.at),
        "kind": bounce.kind.value,
        "status": bounce.status,
        "diagnostic": bounce.diagnostic,
        "email": bounce.email,
        "subscriber_status": bounce.person.value,
        "outbox_id": bounce.outbox_id,
        "proven": bounce.is_proven,
        "effect": bounce.effect,
        "forgiven_at": moment_text(bounce.forgiven_at),
    }


@group.command()
def show(bounce_id: int, config: Config = None, as_json: AsJson = False) -> None:
    """One bounce, and the message it was read from as it came (its first 64 KB)."""
    with opened(config) as parts:
        bounce, evidence = parts.returns.bounce(bounce_id)
    if as_json:
        print_json(_shown(bounce) | {"evidence": evidence.decode("utf-8", "replace")})
        return
    for name, value in _shown(bounce).items():
        say(f"{name.replace('_', ' '):18} {'–' if value in (None, '') else value}")
    say()
    say(_printable(evidence.decode("utf-8", "replace")))


def _printable(text: str) -> str:
    """A stranger's text without what would steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "·" for c in text.replace("\r\n", "\n"))


@group.command()
def suppress(
    email: Annotated[str, typer.Argument(help="An address, on the list or not.")],
    config: Config = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Never mail an address again, though nothing came back; `undo` lifts that."""
    with opened(config, at) as parts:
        reason = parts.returns.suppress(email, parts.now())
    if as_json:
        print_json({"suppressed": reason})
    else:
        say(f"suppressed: {reason}")


@group.command()
def undo(
    whom: Annotated[str, typer.Argument(help="An address, or the id of a bounce.")],
    config: Config = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Mail an address again: lift its suppression, forgive its bounces, restore its status."""
    from digest.filters import plural

    with opened(config, at) as parts:
        undone = parts.returns.undo(int(whom) if whom.isdecimal() else whom, parts.now())
    person = undone.subscriber
    if as_json:
        print_json(
            {
                "lifted": undone.reason,
                "forgiven": undone.forgiven,
                "email": person.email if person else None,
                "status": person.status.value if person else None,
                "next_edition_at": moment_text(person.next_edition_at) if person else None,
            }
        )
        return
    lifted = f"lifted: {undone.reason}" if undone.reason else "it was not suppressed"
    say(f"{lifted}; forgiven: {plural(undone.forgiven, 'bounce')}")
    if person:
        say(f"{person.status}; next edition: {moment_text(person.next_edition_at) or 'none'}")


@group.command()
def read(config: Config = None, at: At = None, as_json: AsJson = False) -> None:
    """Read the mailbox of bounces now; the daemon does it by itself."""
    from digest.filters import plural

    with opened(config, at) as parts, parts.mailbox() as mailbox:
        report = parts.returns.read_all(mailbox, parts.now())
    kinds = {kind.value: count for kind, count in sorted(report.kinds.items())}
    if as_json:
        print_json(
            {
                "letters": report.letters,
                "kinds": kinds,
                "suppressed": report.suppressed,
                "unsubscribed": report.unsubscribed,
                "kept": report.kept,
            }
        )
        return
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    say(f"letters: {told or 'none'}")
    say(f"addresses: {report.suppressed} suppressed, {report.unsubscribed} unsubscribed")
    if report.kept:
        warn(
            f"not understood, or about nobody on the list: {plural(report.kept, 'letter')}, kept in"
            " digest-unknown"
        )
