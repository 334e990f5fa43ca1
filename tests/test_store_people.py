"""People in the database: what they want, read page by page, and whom to mail never again."""

from __future__ import annotations

from digest.addresses import parse_address
from digest.enrol import Choices, Enrolment
from digest.model import InterestKind, Status
from digest.store import Store, people
from digest.store.profiles import profiles_of
from tests.enrol_pieces import (
    ANN,
    CHOSEN,
    NOTHING,
    link,
)
from tests.store_pieces import HOUR, NOW, merge, paper

# The people


def test_profiles_have_topics_and_liked_papers_looked_up(
    enrolment: Enrolment, store: Store
) -> None:
    merge(store, paper(title="Liked", abstract="It was."))
    enrolment.join(ANN, CHOSEN, now=NOW, source="web")
    enrolment.change(
        1,
        Choices(
            wishes={
                InterestKind.DISLIKE: ("2603.00001", "2603.99999"),
                InterestKind.AUTHOR: ("Ann Example",),
                InterestKind.EXCLUDE: ("survey",),
                InterestKind.CATEGORY: ("cs.CL",),
                InterestKind.KEYWORD: ("attention",),
            }
        ),
        now=NOW + HOUR,
    )

    with store.read() as tx:
        found = profiles_of(tx, [1, 99])

    profile = found[1]
    assert [t.slug for t in profile.topics] == ["vision"]
    assert (profile.texts, profile.keywords) == (("sparse attention",), ("attention",))
    assert (profile.authors, profile.excluded) == (("Ann Example",), ("survey",))
    assert profile.categories == ("cs.CL",)
    assert [(e.key, e.title, e.at) for e in profile.liked] == [("arxiv:2603.00001", "Liked", NOW)]
    assert [e.key for e in profile.disliked] == ["arxiv:2603.00001"], "an unknown paper is left out"
    assert found[99].is_empty


def test_everybody_is_read_page_by_page(enrolment: Enrolment, store: Store) -> None:
    for n in range(7):
        enrolment.join(f"reader{n}@example.org", NOTHING, now=NOW, source="web")
    enrolment.confirm(link(3), now=NOW)

    with store.read() as tx:
        ids = [p.id for p in people.all_subscribers(tx, size=3)]
        pending = [p.id for p in people.all_subscribers(tx, status=Status.PENDING, size=2)]
        counts = people.count_subscribers(tx)
    assert ids == [1, 2, 3, 4, 5, 6, 7]
    assert pending == [1, 2, 4, 5, 6, 7]
    assert counts == {Status.PENDING: 6, Status.CONFIRMED: 1}


def test_suppressions_are_found_lifted_and_keep_their_first_reason(store: Store) -> None:
    key = parse_address(ANN).key
    with store.write() as tx:
        people.suppress(tx, key, reason="hard bounce", now=NOW)
        people.suppress(tx, key, reason="complaint", now=NOW)

    with store.write() as tx:
        assert people.suppressed_among(tx, [key, "other"]) == {key: "hard bounce"}
        people.lift_suppression(tx, key)
        assert people.suppression_of(tx, key) is None
