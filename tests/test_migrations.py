"""Migrations: the same schema as the tables say, all or nothing, and no row lost on the way."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import JSON, TableClause, column, func, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from digest.errors import StoreDamaged, StoreError, StoreVersion
from digest.model import InterestKind
from digest.resources import data_path
from digest.store import Store, editions, people
from digest.store.frozen import EditionReader
from digest.store.migrate import head_version, migrate, open_store, stored_version
from digest.store.people import Wish
from digest.store.schema import (
    edition,
    interest,
    item,
    metadata,
    outbox,
    pick,
    subscriber,
    wording,
)
from digest.text import text_key
from tests.databases import Databases
from tests.store_pieces import add_person, count

MIGRATIONS = data_path("migrations")
#: what searching needs and each database has in its own way; digest/store/searching.py asks it
OF_SEARCH = ("item_text", "search", "ix_item_search")


@pytest.fixture
def empty(databases: Databases) -> Iterator[Store]:
    """A database without a schema."""
    store = Store(databases.empty())
    yield store
    store.close()


def scripts_with(folder: Path, name: str, body: str) -> Path:
    """The program's migrations and one more."""
    scripts = folder / "migrations"
    shutil.copytree(MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    number = name.partition("_")[0]
    head = f'"""One more.\n\nRevision ID: {number}\n"""\nimport sqlalchemy as sa\nfrom alembic import op\n'
    numbers = f'revision = "{number}"\ndown_revision = "{head_version()}"\n'
    (scripts / "versions" / f"{name}.py").write_text(f"{head}{numbers}\ndef upgrade():\n{body}")
    return scripts


def version_of(store: Store) -> str | None:
    with store.read() as tx:
        return stored_version(tx)


# The schema


def test_migrations_make_exactly_the_tables_that_the_program_uses(store: Store) -> None:
    with store.read() as tx:
        context = MigrationContext.configure(
            tx, opts={"compare_type": True, "include_name": _is_ours}
        )
        differences = compare_metadata(context, metadata)

    assert differences == []


def _is_ours(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
    return not (name or "").startswith(OF_SEARCH)


def test_every_foreign_key_says_what_happens_when_its_row_goes(store: Store) -> None:
    with store.read() as tx:
        found = {
            (table, key["constrained_columns"][0]): key["options"].get("ondelete")
            for table in inspect(tx).get_table_names()
            for key in inspect(tx).get_foreign_keys(table)
            if not table.startswith(OF_SEARCH)
        }
    declared = {
        (table.name, key.parent.name): key.ondelete
        for table in metadata.sorted_tables
        for key in table.foreign_keys
    }
    assert found == declared


def test_ids_that_stand_in_links_are_never_given_again(sqlite_store: Store) -> None:
    for table in metadata.sorted_tables:
        wanted = table.dialect_options["sqlite"]["autoincrement"]
        with sqlite_store.read() as tx:
            made = tx.execute(
                text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table.name}
            ).scalar_one()
        assert ("AUTOINCREMENT" in made) == bool(wanted), table.name


def test_migrations_are_numbered_one_after_the_other() -> None:
    numbers = sorted(p.name.split("_")[0] for p in MIGRATIONS.glob("versions/[0-9]*.py"))

    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]
    assert head_version() == numbers[-1]


def test_migrations_know_nothing_of_todays_program() -> None:
    for path in MIGRATIONS.glob("versions/*.py"):
        said = path.read_text("utf-8").replace('"digest"', "").replace("hexdigest", "")
        assert "digest" not in said, path.name


# Bringing it up to date


def test_an_empty_database_is_set_up_when_it_is_opened(databases: Databases) -> None:
    store = open_store(databases.empty())

    assert version_of(store) == head_version()
    assert count(store, outbox) == 0
    store.close()


def test_migrating_twice_changes_nothing(empty: Store) -> None:
    assert migrate(empty) == (None, head_version())
    add_person(empty)

    assert migrate(empty) == (head_version(), head_version())
    assert count(empty, subscriber) == 1


def test_two_processes_may_open_an_empty_database_at_once(databases: Databases) -> None:
    url = databases.empty()
    errors: list[BaseException] = []
    ready = threading.Barrier(3)

    def start() -> None:
        try:
            ready.wait(10)
            open_store(url).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []


def test_a_database_file_is_its_owners_alone(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/digest.db").close()

    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_rows_of_the_first_schema_are_there_after_the_last(empty: Store, tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copytree(MIGRATIONS, first, ignore=shutil.ignore_patterns("__pycache__", "000[2-9]*"))
    migrate(empty, first)
    with empty.write() as tx:
        tx.execute(
            text(
                "INSERT INTO subscriber (email, address_key, status, zone, send_at, cadence,"
                " max_items, rising, created_at) VALUES ('ann@example.org', 'k', 'confirmed',"
                " 'UTC', '07:00', 'daily', 12, true, '2026-03-11 07:00:00')"
            )
        )
        tx.execute(
            text(
                "INSERT INTO interest (subscriber_id, kind, value, created_at)"
                " VALUES (1, 'keyword', 'attention', '2026-03-11 07:00:00')"
            )
        )
        tx.execute(
            text(
                "INSERT INTO outbox (kind, subscriber_id, dedupe_key, message_id, state, due_at,"
                " created_at, not_before, attempts) VALUES ('confirmation', 1, 'd', 'm', 'sent',"
                " '2026-03-11 07:00:00', '2026-03-11 07:00:00', '2026-03-11 07:00:00', 1)"
            )
        )

    assert migrate(empty) == ("0001", head_version())

    assert [count(empty, table) for table in (subscriber, interest, outbox)] == [1, 1, 1]
    with empty.read() as tx:
        found = people.get_subscriber(tx, 1)
    assert found is not None
    assert found.email == "ann@example.org"


def test_items_of_the_first_schema_are_known_by_what_they_say(empty: Store, tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copytree(MIGRATIONS, first, ignore=shutil.ignore_patterns("__pycache__", "000[2-9]*"))
    migrate(empty, first)
    with empty.write() as tx:
        for n in range(1, 1203):
            tx.execute(
                text(
                    "INSERT INTO item (key, url, title, abstract, authors, categories, told_by,"
                    " withdrawn, offered, first_seen_at, changed_at) VALUES (:key, 'u', :title,"
                    " 'Ünd so', '[]', '[]', 'feed', false, true, '2026-03-11', '2026-03-11')"
                ),
                {"key": f"k{n}", "title": f"Title {n}"},
            )

    migrate(empty)

    with empty.read() as tx:
        rows = tx.execute(select(item.c.title, item.c.abstract, item.c.text_key)).all()
    assert len(rows) == 1202
    assert all(row.text_key == text_key(row.title, row.abstract) for row in rows)


PICK_NAMES = (
    "edition_id", "section", "position", "subscriber_id", "wording_id", "score", "match", "trend",
    "freshness",
)  # fmt: skip
MADE_AT = datetime(2026, 3, 11, 7, tzinfo=UTC)


def test_editions_of_before_are_told_as_they_were(empty: Store, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(MIGRATIONS, before, ignore=shutil.ignore_patterns("__pycache__", "0006*"))
    migrate(empty, before)
    own, trend = ["keyword", "matches", 'a "],["\n'], ["trend", "5 votes in 1 h", ""]
    rows = [
        ("rising", 1, 1, [[trend], 5, None, None]),
        ("pick", 2, 2, [[own, trend], 5, 0, None]),
        ("pick", 1, 1, [[own], None, None, 7]),
    ]
    person = add_person(empty)
    old_pick = TableClause("pick", *map(column, PICK_NAMES), column("shown", JSON))
    told = {"due_at": MADE_AT, "made_at": MADE_AT, "zone": "UTC", "considered": 9, "interests": 1}
    said = {"key": "k", "url": "u", "abstract": "", "authors": [], "categories": []}
    parts = {"score": 0.5, "match": 0.5, "trend": 0.5, "freshness": 0.5}
    with empty.write() as tx:
        # more than the migration takes at once; all but the first three have no items
        for n in range(1, 1003):
            day = MADE_AT.date() + timedelta(days=n)
            tx.execute(insert(edition).values(id=n, subscriber_id=person, local_on=day, **told))
        for n in (1, 2):
            data = said | {"title": f"Title {n}"}
            tx.execute(insert(wording).values(id=n, fingerprint=f"f{n}", data=data))
        for edition_id in (1, 2):
            for section, position, wording_id, shown in rows:
                values = (edition_id, section, position, person, wording_id)
                of_pick = dict(zip(PICK_NAMES, values, strict=False)) | parts
                tx.execute(insert(old_pick).values(**of_pick, shown=shown))
        damaged = dict(zip(PICK_NAMES, (3, "pick", 1, person, 1), strict=False)) | parts
        tx.execute(insert(old_pick).values(**damaged, shown=[]))

    migrate(empty)

    with empty.read() as tx:
        found = editions.load_editions(tx, [1, 2, 1002])
        (spoilt,) = EditionReader().each(tx, [3]).values()
        picks = tx.execute(select(func.count()).select_from(pick)).scalar_one()
    assert picks == 7
    assert isinstance(spoilt, StoreDamaged)
    assert (found[1002].entries, found[1002].rising) == ((), ())
    for one in (found[1], found[2]):
        assert [
            (e.wording.title, [str(r) for r in e.pick.reasons], e.votes, e.comments, e.stars)
            for e in (*one.entries, *one.rising)
        ] == [
            ("Title 1", ['matches a "],["'], None, None, 7),
            ("Title 2", ['matches a "],["', "5 votes in 1 h"], 5, 0, None),
            ("Title 1", ["5 votes in 1 h"], 5, None, None),
        ]


# Refusing


def test_a_database_newer_than_the_program_is_refused_and_left_alone(store: Store) -> None:
    add_person(store)
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for attempt in (lambda: open_store(store.url), lambda: migrate(store)):
        with pytest.raises(StoreVersion, match=r"9999, newer .* install the newer digest"):
            attempt()

    assert version_of(store) == "9999"
    assert count(store, subscriber) == 1
    with store.write() as tx:
        tx.execute(text(f"UPDATE alembic_version SET version_num = '{head_version()}'"))


def test_a_database_older_than_the_program_wants_a_backup_first(
    databases: Databases, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    shutil.copytree(MIGRATIONS, first, ignore=shutil.ignore_patterns("__pycache__", "000[2-9]*"))
    url = databases.empty()
    store = Store(url)
    migrate(store, first)

    with pytest.raises(StoreVersion, match=r"digest backup.*digest migrate"):
        open_store(url)

    assert version_of(store) == "0001"
    store.close()


# All or nothing

HALF_WAY = """
    op.create_table("halfway", sa.Column("id", sa.Integer(), primary_key=True))
    op.add_column("subscriber", sa.Column("mood", sa.Text()))
    op.execute("UPDATE subscriber SET zone = 'Pacific/Apia'")
    with op.batch_alter_table("interest") as batch:
        batch.add_column(sa.Column("weight", sa.Integer()))
    op.execute("INSERT INTO no_such_table VALUES (1)")
"""


def test_a_migration_that_fails_half_way_has_never_happened(
    databases: Databases, tmp_path: Path
) -> None:
    store = open_store(databases.empty())
    add_person(store, wishes=[Wish(kind=InterestKind.KEYWORD, value="attention")])
    with store.read() as tx:
        before = {t: inspect(tx).get_columns(t) for t in sorted(inspect(tx).get_table_names())}

    with pytest.raises((SQLAlchemyError, StoreError)):
        migrate(store, scripts_with(tmp_path, "9999_fails", HALF_WAY))

    with store.read() as tx:
        after = {t: inspect(tx).get_columns(t) for t in sorted(inspect(tx).get_table_names())}
        zone = tx.execute(text("SELECT zone FROM subscriber")).scalar_one()
    assert repr(after) == repr(before)
    assert (zone, version_of(store)) == ("UTC", head_version())
    assert count(store, interest) == 1
    store.close()


REBUILD = """
    with op.batch_alter_table("subscriber") as batch:
        batch.add_column(sa.Column("mood", sa.Text()))
        batch.alter_column("zone", type_=sa.String(64))
"""


def test_a_table_can_be_rebuilt_without_losing_what_refers_to_it(
    databases: Databases, tmp_path: Path
) -> None:
    """SQLite drops the old table, and with foreign keys on every interest would go with it."""
    store = open_store(databases.empty())
    add_person(store, wishes=[Wish(kind=InterestKind.KEYWORD, value="attention")])

    migrate(store, scripts_with(tmp_path, "9999_rebuild", REBUILD))

    assert count(store, subscriber) == count(store, interest) == 1
    with store.write() as tx:
        people.delete_subscriber(tx, 1)
    assert count(store, interest) == 0, "afterwards foreign keys hold as before"
    store.close()


ORPHANS = """
    op.execute("DELETE FROM subscriber")
"""


def test_a_migration_that_leaves_orphans_is_refused(
    sqlite_databases: Databases, tmp_path: Path
) -> None:
    store = open_store(sqlite_databases.empty())
    add_person(store, wishes=[Wish(kind=InterestKind.KEYWORD, value="attention")])

    with pytest.raises(StoreError, match="interest refers to a row of subscriber"):
        migrate(store, scripts_with(tmp_path, "9999_orphans", ORPHANS))

    assert count(store, subscriber) == count(store, interest) == 1
    store.close()
