"""The daily work: demo, init, run, collect, send."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.base import AsJson, At, Config, app, log_to_stderr, opened, print_json, say, warn
from digest.errors import BadInput, DigestError, UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.deliver.rules import DeliveryReport, Progress

#: how often a terminal is told how far the delivering is, in seconds
_PROGRESS_S = 0.5
ROLES = ("collect", "edition", "deliver", "web")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where the mails are written.")] = Path(
        "demo"
    ),
    serve: Annotated[bool, typer.Option("--serve", help="Leave the web pages up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the whole way, from a sample listing to mails in a folder. Needs nothing."""
    from digest.demo import DEMO_END, run_demo, tell_demo

    if serve:
        from digest.demo_pages import HOST, free_port, serve_demo

        port = free_port()
        result = run_demo(folder, site_url=f"http://{HOST}:{port}")
    else:
        result = run_demo(folder)
    if as_json:
        print_json(result.as_json())
    else:
        say(tell_demo(result))
    if serve:
        serve_demo(folder, port=port, begin=DEMO_END, say=warn if as_json else say)


@app.command()
def init(
    config: Config = None,
    url: Annotated[str | None, typer.Option(help="Public base of all links.")] = None,
    mail_from: Annotated[
        str | None, typer.Option("--from", help='The From line: "Name <address>".')
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the site.")] = None,
    database: Annotated[str | None, typer.Option(help="Address of the database.")] = None,
    smtp_host: Annotated[str | None, typer.Option(help="Your mail relay.")] = None,
    smtp_port: Annotated[int | None, typer.Option(help="587, 465 or 25.")] = None,
    smtp_security: Annotated[str | None, typer.Option(help="starttls, tls or none.")] = None,
    smtp_username: Annotated[str | None, typer.Option(help="Login at the relay.")] = None,
    mail_folder: Annotated[
        Path | None, typer.Option(help="Write mails to this folder instead of sending them.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Zone that new subscribers start with.")] = None,
) -> None:
    """Write config.toml from questions or options, and create the database."""
    from digest.app import App
    from digest.config import load_settings
    from digest.config.first import Answers, write_config

    path = config or Path("config.toml")
    if path.exists():
        raise BadInput(f"{path} exists already and is never overwritten; move it away first")
    password = None
    if smtp_username:
        password = typer.prompt(f"Password of {smtp_username}", hide_input=True)
    answers = Answers(
        site_url=url or _ask("Public address of the site", "http://localhost:8080"),
        mail_from=mail_from or _ask("Mails come from", "Trending Papers <digest@example.org>"),
        site_name=name,
        database_url=database,
        transport="folder" if mail_folder else None,
        mail_path=str(mail_folder) if mail_folder else None,
        smtp_host=smtp_host or (None if mail_folder else _ask("Your mail relay", "localhost")),
        smtp_port=smtp_port,
        smtp_security=smtp_security,
        smtp_username=smtp_username,
        smtp_password=password,
        zone=zone,
    )
    write_config(path, answers)
    try:
        parts = App(load_settings(path))
        try:
            where = parts.store.engine.url.render_as_string(hide_password=True)
        finally:
            parts.close()
    except DigestError:
        # so that the next try does not find a file in its way
        path.unlink()
        raise
    say(f"{path} is written and the database {where} is there.")
    say("Next: look through the file, then")
    say("  digest subscribers add you@example.org --topic language-models --confirmed")
    say("  digest run")


def _ask(question: str, default: str) -> str:
    try:
        answer: str = typer.prompt(question, default=default)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        # nobody is there to answer: a script gave all it had to say by options
        say(default)
        return default
    return answer


@app.command()
def run(
    config: Config = None,
    only: Annotated[
        str | None, typer.Option(help="Roles of this process: collect,edition,deliver,web.")
    ] = None,
) -> None:
    """The daemon: collect, make editions, deliver. SIGTERM ends it cleanly."""
    roles = tuple(ROLES if only is None else (role.strip() for role in only.split(",")))
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise UsageError(f"--only: there is no role {unknown[0]!r}; roles: {', '.join(ROLES)}")
    from digest.schedule import run_daemon

    log_to_stderr(logging.INFO)
    with opened(config) as parts:
        run_daemon(parts, roles)


@app.command()
def collect(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources to read now; default: those due.")
    ] = None,
    config: Config = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """One pass over the sources that are due, or over the named ones now."""
    from digest.embed.meaning import RECENT

    # what went wrong is printed below, as the result that it is
    logging.getLogger("digest.collect").setLevel(logging.ERROR)
    with opened(config, at) as parts:
        now = parts.now()
        collector = parts.collector
        reports = collector.collect_named(sources, now) if sources else collector.collect_due(now)
        parts.meaning.catch_up(RECENT)
    if as_json:
        print_json(
            [
                {"name": r.name, "error": r.error, "readings": [_reading(x) for x in r.readings]}
                for r in reports
            ]
        )
    else:
        for report in reports:
            counts = [
                f"{sum(getattr(reading, name) for reading in report.readings)} {word}"
                for name, word in (("entries", "read"), ("new", "new"), ("merged", "known"))
            ]
            say(f"{report.name}: {', '.join(counts)}")
        if not reports:
            say("no source is due; name one to read it now")
    failed = [report for report in reports if report.error]
    for report in failed:
        warn(f"source {report.name}: {report.error}")
    if failed:
        raise typer.Exit(1)


def _reading(reading: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(reading)  # type: ignore[call-overload,no-any-return]  # a record


@app.command()
def send(
    config: Config = None,
    at: At = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; say what would go.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One pass: make every edition that is due, then deliver what waits."""
    with opened(config, at) as parts:
        if dry_run:
            _say_drafts(parts, as_json)
            return
        made = parts.editor.make_due(parts.now())
        with _progress() as progress:
            delivered = parts.deliverer.deliver(parts.transport(), progress=progress)
        elsewhere = _in_other_hands(parts)
    states = {state.value: count for state, count in delivered.states.items()}
    if as_json:
        print_json(
            {
                "made": made.made,
                "skipped": made.skipped,
                "missed": made.missed,
                "recovered": delivered.recovered,
                "delivered": states,
                "stopped": delivered.stopped,
                "elsewhere": elsewhere,
            }
        )
    else:
        say(f"editions: {made.made} made, {made.skipped} skipped, {made.missed} missed")
        told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        say(f"messages: {told or 'none waited'}")
        if elsewhere:
            say(f"{elsewhere} are in another sender's hands; a dead one's come back in a minute")
    if delivered.stopped:
        warn(f"{delivered.stopped}; what waits is kept")
        raise typer.Exit(1)


def _in_other_hands(parts: App) -> int:
    """How many messages another sender holds, or one that has died and whose lease lasts."""
    from digest.model import OutboxState
    from digest.store.outbox import waiting

    with parts.store.read() as tx:
        return waiting(tx).get(OutboxState.SENDING, 0)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Tells on a terminal how far the delivering is; leaves no trace."""
    from digest.deliver import now_and_then

    if not sys.stderr.isatty():
        yield lambda report: None
        return

    def tell(report: DeliveryReport) -> None:
        told = (f"{count:,} {state.value}" for state, count in sorted(report.states.items()))
        print(f"\r\033[Kmessages: {', '.join(told)} …", end="", file=sys.stderr, flush=True)

    yield now_and_then(tell, _PROGRESS_S)
    print("\r\033[K", end="", file=sys.stderr, flush=True)


def _say_drafts(parts: object, as_json: bool) -> None:
    from digest.app import App
    from digest.cli.base import moment_text
    from digest.store.outbox import waiting

    assert isinstance(parts, App)
    drafts = [
        {
            "email": draft.subscriber.email,
            "due_at": moment_text(draft.slots.due),
            "missed": len(draft.slots.missed),
            "picks": [e.wording.title for e in draft.edition.entries] if draft.edition else [],
            "reason": None if draft.edition else draft.detail or draft.reason,
        }
        for draft in parts.editor.draft_due(parts.now())
    ]
    with parts.store.read() as tx:
        queued = {state.value: count for state, count in waiting(tx).items()}
    if as_json:
        print_json({"drafts": drafts, "waiting": queued})
        return
    for draft in drafts:
        what = f"{len(draft['picks'])} papers" if draft["picks"] else f"nothing: {draft['reason']}"  # type: ignore[arg-type]  # a list
        say(f"{draft['email']}: {what}")
    told = ", ".join(f"{count} {state}" for state, count in queued.items())
    say(f"{len(drafts)} people are due; waiting in the outbox: {told or 'nothing'}")
