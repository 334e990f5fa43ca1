"""Keeping it well: migrate and backup."""

from __future__ import annotations

from pathlib import Path

from digest.cli.base import Config, app, say


@app.command()
def migrate(config: Config = None) -> None:
    """Bring the database's schema up to date. All or nothing."""
    from digest.config import load_settings
    from digest.store import Store
    from digest.store.migrate import migrate as run_migrations

    store = Store(load_settings(config).database.url)
    try:
        before, after = run_migrations(store)
    finally:
        store.close()
    say(f"already at {after}" if before == after else f"from {before or 'nothing'} to {after}")


@app.command()
def backup(file: Path, config: Config = None) -> None:
    """A consistent copy of the database, also while the daemon runs."""
    from digest.config import load_settings
    from digest.store import Store
    from digest.store.migrate import backup as copy

    store = Store(load_settings(config).database.url)
    try:
        copy(store, file)
    finally:
        store.close()
    say(f"{file}: {file.stat().st_size:,} bytes")
