"""The commands that look: what is trending, found, previewed, explained and reported."""

from __future__ import annotations

import json

from sqlalchemy import text

from digest.store import Store
from tests.cli_pieces import Operator

#: the evening of the sample's last day
AT = "2026-03-12T20:00:00Z"
SPARSE = "2603.90402"


# Looking


def test_top_prints_the_parts_of_each_score(demo: Operator) -> None:
    told = json.loads(demo.gets("top", "--at", AT, "--limit", "3", "--json"))

    assert told["at"] == AT
    assert [item["position"] for item in told["items"]] == [1, 2, 3]
    assert set(told["items"][0]["parts"]) == {"match", "trend", "freshness"}
    assert told["items"][0]["reasons"]
    assert demo.gets("top", "--at", AT, "--limit", "3").count("[0.") == 3


def test_top_of_a_day_and_a_topic(demo: Operator) -> None:
    day = json.loads(demo.gets("top", "--date", "2026-03-10", "--json", "--limit", "100"))
    topic = json.loads(demo.gets("top", "--topic", "robotics", "--at", AT, "--json"))

    assert 0 < len(day["items"]) < 30
    assert "topic" in topic["items"][0]["reasons"][0]
    assert "nothing" in demo.gets("top", "--date", "2020-01-01")
    assert "robotics" in demo.is_refused("top", "--topic", "cooking", code=2)
    assert "not a date" in demo.is_refused("top", "--date", "someday", code=2)


def test_search_finds_by_words_and_by_meaning(demo: Operator) -> None:
    found = json.loads(demo.gets("search", "sparse attention", "--limit", "5", "--json"))

    assert found[0]["found_by"] == "words"
    assert "meaning" in {item["found_by"] for item in found}
    assert len({item["key"] for item in found}) == len(found)
    assert demo.gets("search", "!!!", "--at", AT)


def test_similar_finds_others(demo: Operator) -> None:
    found = json.loads(demo.gets("similar", SPARSE, "--limit", "3", "--json"))

    assert len(found) == 3
    assert f"arxiv:{SPARSE}" not in {item["key"] for item in found}
    assert "not in the archive" in demo.is_refused("similar", "2401.99999")
    assert "names no paper" in demo.is_refused("similar", "nonsense", code=2)


def test_a_preview_in_every_form(demo: Operator) -> None:
    words = ("preview", "mara@example.org", "--at", "2026-03-13T09:00:00Z")

    assert "nothing would be sent" in demo.gets(*words) or "Subject:" in demo.gets(*words)
    told = json.loads(demo.gets(*words, "--format", "json"))
    assert told["email"] == "mara@example.org"


def test_a_preview_for_a_newcomer_is_a_whole_mail(demo: Operator) -> None:
    demo.gets(
        "subscribers", "add", "new@example.org", "--interest", "sparse attention", "--confirmed"
    )
    words = ("preview", "new@example.org", "--at", AT)

    assert demo.gets(*words).startswith("Subject: ")
    assert "<html" in demo.gets(*words, "--format", "html")
    eml = demo.gets(*words, "--format", "eml")
    assert "To: new@example.org" in eml
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in eml
    assert demo.gets(*words) == demo.gets(*words), "nothing is stored"


def test_why_tells_what_was_sent_and_what_would_be_now(demo: Operator) -> None:
    with Store(f"sqlite:///{demo.folder}/digest.db").read() as tx:
        email, key = tx.execute(
            text(
                "SELECT s.email, i.key FROM pick p JOIN subscriber s ON s.id = p.subscriber_id"
                " JOIN item i ON i.id = p.item_id WHERE p.section = 'pick' ORDER BY s.id LIMIT 1"
            )
        ).one()

    told = json.loads(demo.gets("why", email, key, "--at", AT, "--json"))

    assert told["sent"]["position"] >= 1
    assert told["now"]["verdict"] == "seen"
    assert "sent on 2026-03-1" in demo.gets("why", email, key, "--at", AT)
    assert "not in the archive" in demo.is_refused("why", email, "2401.99999")
    assert "on the list" in demo.is_refused("why", "nobody@example.org", key)


def test_sources_say_how_they_are(demo: Operator) -> None:
    told = json.loads(demo.gets("sources", "--json"))

    assert [source["name"] for source in told] == ["arxiv", "huggingface"]
    assert all(source["failures"] == 0 and source["last_reading"] for source in told)
    assert "huggingface" in demo.gets("sources")


def test_the_ledger_of_a_day_adds_up(demo: Operator) -> None:
    told = json.loads(demo.gets("report", "--date", "2026-03-10", "--json"))

    states = dict(told["ledger"])
    assert states.pop("due") == sum(states.values()) > 0
    assert set(told["reasons"].get("skipped", {"x": 1}).values()) <= set(range(1, 99))
    assert {source["name"] for source in told["sources"]} == {"arxiv", "huggingface"}
    assert "due" in demo.gets("report", "--date", "2026-03-10")
    assert demo.gets("report", "--at", AT).startswith("2026-03-12: ")
    assert "not a date" in demo.is_refused("report", "--date", "2026-02-30", code=2)
