"""Making editions while others write, and dying between any two writes."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, update

from digest.model import Status
from digest.store import Store
from digest.store.schema import edition, subscriber
from digest.store.schema import outbox as rows
from tests.databases import Databases
from tests.edition_pieces import editor, list_papers
from tests.fakes import Crash, CrashingStore
from tests.store_pieces import DAY, NOW, add_person, count


class Meddling(Store):
    """A store in which something happens between looking who is due and writing it down."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.meddle: list[tuple[str, object]] = []

    def write(self):  # type: ignore[no-untyped-def]
        if self.meddle:
            name, value = self.meddle.pop()
            with super().write() as tx:
                tx.execute(update(subscriber).where(subscriber.c.id == 1).values({name: value}))
        return super().write()


@pytest.mark.parametrize(
    "change", [("status", Status.UNSUBSCRIBED), ("next_edition_at", NOW + 9 * DAY)]
)
def test_who_leaves_or_is_served_elsewhere_meanwhile_gets_nothing(
    store: Store, change: tuple[str, object]
) -> None:
    list_papers(store)
    add_person(store)
    add_person(store, "ben@example.org")
    meddling = Meddling(store.url)
    meddling.meddle.append(change)

    report = editor(meddling).make_due(NOW)

    meddling.close()
    assert report.made == 1
    with store.read() as tx:
        assert set(tx.execute(select(rows.c.subscriber_id)).scalars()) == {2}


def test_processes_that_serve_the_same_people_make_each_edition_once(
    postgres_store: Store,
) -> None:
    list_papers(postgres_store, number=20)
    for n in range(450):
        add_person(postgres_store, f"reader{n}@example.org")
    ready = threading.Barrier(3)
    errors: list[BaseException] = []

    def work() -> None:
        mine = Store(postgres_store.url)
        try:
            ready.wait(10)
            making = editor(mine, batch=200)
            for _ in range(20):
                making.make_due(NOW)
        except BaseException as error:
            errors.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert count(postgres_store, edition) == count(postgres_store, rows) == 450


def test_dying_between_any_two_writes_makes_each_edition_once(databases: Databases) -> None:
    writes = 0
    while True:
        url = databases.fresh()
        store = Store(url)
        list_papers(store)
        for n in range(210):
            add_person(store, f"reader{n}@example.org")
        dying = CrashingStore(url, writes=writes)
        try:
            editor(dying, batch=200).make_due(NOW)
            died = False
        except Crash:
            died = True
        assert count(store, edition) == count(store, rows)

        editor(store).make_due(NOW)

        assert count(store, edition) == count(store, rows) == 210
        dying.close()
        store.close()
        databases.drop(url)
        writes += 1
        if not died:
            break
    assert writes >= 3
