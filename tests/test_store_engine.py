"""The database connection: transactions, one state for one reading, and what the world can do."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from digest.errors import StoreBusy, StoreError, StoreFull
from digest.store import Store, db_now
from digest.store.facts import drop_fact, get_fact, put_fact
from digest.store.schema import state
from tests.databases import Databases
from tests.disks import fill, read_only, small_disk


def count_of(store: Store) -> int:
    with store.read() as tx:
        return tx.execute(select(func.count()).select_from(state)).scalar_one()


def test_what_is_written_is_there_afterwards(store: Store) -> None:
    with store.write() as tx:
        put_fact(tx, "heartbeat", {"at": "2026-03-11", "n": [1, None, "ü"]})

    with store.read() as tx:
        assert get_fact(tx, "heartbeat") == {"at": "2026-03-11", "n": [1, None, "ü"]}


def test_a_transaction_that_fails_leaves_no_trace(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as tx:
        put_fact(tx, "first", 1)
        put_fact(tx, "second", 2)
        raise RuntimeError("in the middle")

    assert count_of(store) == 0


def test_a_fact_is_replaced_and_can_be_dropped(store: Store) -> None:
    with store.write() as tx:
        put_fact(tx, "pause", 1)
        put_fact(tx, "pause", 2)
        assert get_fact(tx, "pause") == 2
        drop_fact(tx, "pause")

    with store.read() as tx:
        assert get_fact(tx, "pause") is None


def test_one_reading_sees_one_state_while_others_write(store: Store) -> None:
    with store.read() as reading:
        before = reading.execute(select(func.count()).select_from(state)).scalar_one()
        with store.write() as writing:
            put_fact(writing, "new", True)
        after = reading.execute(select(func.count()).select_from(state)).scalar_one()

    assert (before, after) == (0, 0)
    assert count_of(store) == 1


def test_what_is_committed_survives_the_loss_of_power(sqlite_store: Store) -> None:
    with sqlite_store.write() as tx:
        found = [
            tx.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous")
        ]

    assert found == ["wal", 2], "2 is FULL: the log is flushed at every commit"


def test_two_writers_wait_for_each_other(store: Store) -> None:
    """Both read first and write then: pysqlite by itself would fail with "locked" here."""
    with store.write() as tx:
        put_fact(tx, "counter", 0)

    def count_up() -> None:
        for _ in range(20):
            with store.write() as tx:
                tx.execute(select(state).with_for_update()).all()
                put_fact(tx, "counter", get_fact(tx, "counter") + 1)

    threads = [threading.Thread(target=count_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with store.read() as tx:
        assert get_fact(tx, "counter") == 60


def test_the_same_fact_may_be_put_by_two_processes_at_once(postgres_store: Store) -> None:
    first = threading.Event()
    errors: list[BaseException] = []

    def put_second() -> None:
        first.wait(10)
        try:
            with postgres_store.write() as tx:
                put_fact(tx, "heartbeat", 2)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=put_second)
    thread.start()
    with postgres_store.write() as tx:
        put_fact(tx, "heartbeat", 1)
        first.set()
        thread.join(0.3)  # it waits for us to commit, if it is right
    thread.join(10)

    assert errors == []
    with postgres_store.read() as tx:
        assert get_fact(tx, "heartbeat") == 2


def test_the_databases_clock_is_aware_and_near_ours(store: Store) -> None:
    with store.read() as tx:
        moment = db_now(tx)

    assert moment.tzinfo is UTC
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_databases_clock_goes_on_within_a_transaction(store: Store) -> None:
    with store.write() as tx:
        first = db_now(tx)
        while db_now(tx) == first:
            pass


def test_a_mistake_of_ours_climbs_as_it_is(store: Store) -> None:
    with pytest.raises(IntegrityError), store.write() as tx:
        for _ in range(2):
            tx.execute(insert(state).values(name="twice", value="read-only, locked"))


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    from digest.store.schema import host

    with pytest.raises(Exception, match="without a zone"), store.write() as tx:
        tx.execute(insert(host).values(name="x", free_at=datetime(2026, 3, 11)))


def test_moments_come_back_in_utc_whatever_zone_they_had(store: Store) -> None:
    from zoneinfo import ZoneInfo

    from digest.store.schema import host

    with store.write() as tx:
        at = datetime(2026, 3, 11, 7, 30, 0, 123456, tzinfo=ZoneInfo("Asia/Kathmandu"))
        tx.execute(insert(host).values(name="x", free_at=at))

    with store.read() as tx:
        found = tx.execute(select(host.c.free_at)).scalar_one()
    assert found == at
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://localhost/x", "must begin with"),
        ("postgresql+nothing://x", "no driver"),
        ("not an address", "not a database address"),
        ("postgresql+psycopg://nobody:secret@127.0.0.1:1/x", "cannot be reached"),
        ("postgresql+psycopg://nobody:secret@nowhere.invalid/x", "cannot be reached"),
        ("sqlite:////nowhere/at/all/digest.db", "cannot be opened"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_line_without_secrets(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught, Store(url).read() as tx:
        tx.execute(text("SELECT 1"))

    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[site]\n" * 500)

    with pytest.raises(StoreError, match="no SQLite database"), Store(f"sqlite:///{path}").read():
        pass

    assert path.read_text() == "[site]\n" * 500


def test_a_damaged_database_is_named_as_such(sqlite_databases: Databases) -> None:
    url = sqlite_databases.fresh()
    path = Path(make_url(url).database or "")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(StoreError, match="backup"), Store(url).write() as tx:
        put_fact(tx, "x", 1)


def test_a_full_disk_is_said_and_nothing_is_broken(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=4096) as disk:
        store = Store(f"sqlite:///{disk}/digest.db")
        with store.write() as tx:
            tx.execute(text("CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT)"))
            put_fact(tx, "before", 1)
        ballast = fill(disk)

        with pytest.raises(StoreFull, match="free some space"), store.write() as tx:
            put_fact(tx, "big", "x" * 200_000)

        ballast.unlink()
        with store.write() as tx:
            put_fact(tx, "after", 2)
        with store.read() as tx:
            assert tx.execute(text("PRAGMA integrity_check")).scalar() == "ok"
            found = {row.name for row in tx.execute(select(state.c.name))}
        store.close()
    assert found == {"before", "after"}


def test_a_read_only_disk_is_said(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=4096) as disk:
        url = f"sqlite:///{disk}/digest.db"
        store = Store(url)
        with store.write() as tx:
            tx.execute(text("CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT)"))
        store.close()

        with read_only(disk):
            closed = Store(url)
            with pytest.raises(StoreError, match=r"read-only|cannot be opened"):
                with closed.write() as tx:
                    put_fact(tx, "x", 1)
            closed.close()


def test_a_standby_server_is_said_to_take_no_writes(postgres_databases: Databases) -> None:
    url = postgres_databases.fresh()
    name = make_url(url).database
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    store = Store(url)

    with pytest.raises(StoreFull, match="no writes"), store.write() as tx:
        put_fact(tx, "x", 1)

    store.close()
    with engine.begin() as connection:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        connection.execute(text(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))
    engine.dispose()
    postgres_databases.drop(url)


def test_a_server_that_hangs_up_is_said_and_comes_back(postgres_store: Store) -> None:
    killer = create_engine(postgres_store.url)

    with pytest.raises(StoreError, match="lost"), postgres_store.write() as tx:
        pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with killer.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        put_fact(tx, "x", 1)

    killer.dispose()
    assert count_of(postgres_store) == 0


def test_a_server_that_vanishes_is_missed_within_a_minute(postgres_store: Store) -> None:
    url = make_url(postgres_store.url)
    impatient = Store(
        url.update_query_dict({"tcp_user_timeout": "5000"}).render_as_string(hide_password=False)
    )

    found = []
    for store in (postgres_store, impatient):
        with store.read() as tx:
            found.append(tx.connection.driver_connection.info.get_parameters())
        store.close()

    for told in found:
        idle, count = int(told["keepalives_idle"]), int(told["keepalives_count"])
        assert idle + count * int(told["keepalives_interval"]) <= 60
    assert [told["tcp_user_timeout"] for told in found] == ["60000", "5000"]


def test_a_server_that_never_says_a_word_is_told() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        store = Store(f"postgresql+psycopg://digest@127.0.0.1:{port}/digest?connect_timeout=2")

        with pytest.raises(StoreError, match="the database does not answer: check"):
            count_of(store)

    store.close()


def test_what_a_frozen_process_holds_comes_back(postgres_store: Store) -> None:
    with postgres_store.write() as tx:
        put_fact(tx, "row", 1)
        limit = tx.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
    assert limit == "5min"

    with pytest.raises(StoreBusy, match="stood still in the middle of a transaction"):
        with postgres_store.write() as frozen:
            # so that the test need not wait for five minutes
            frozen.execute(text("SET LOCAL idle_in_transaction_session_timeout = '50ms'"))
            put_fact(frozen, "row", 2)
            # waits for the lock until the database has taken it from the frozen one
            with postgres_store.write() as other:
                put_fact(other, "row", 3)
            put_fact(frozen, "row", 4)

    with postgres_store.read() as tx:
        assert get_fact(tx, "row") == 3


def test_reading_cannot_write(postgres_store: Store) -> None:
    with pytest.raises(StoreFull), postgres_store.read() as tx:
        put_fact(tx, "x", 1)
