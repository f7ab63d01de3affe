"""GET /events: what happened, in an order in which nothing can appear later behind what was read."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
from django.db import connection, transaction

from tests.factories import api, faulty_fields, make_account, make_key, without_trace
from tests.support.events import happen, settled
from tests.support.meta import together
from tests.support.waiting import eventually
from webhooks.models import Event
from webhooks.outgoing import pulling

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asker(alice):
    """Alice, who has asked before: her events are kept."""
    pulling.page(alice.pk, after=None)
    return alice


def names_of(events) -> list[str]:
    return [one["data"]["name"] for one in events]


def ask(account, *, at_once: bool = False, **query):
    at_once or eventually(settled)
    answer = api(account).get("/events", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_events_come_oldest_first_as_an_endpoint_would_get_them(asker):
    happen(asker, "a")
    happen(asker, "b", "c")
    answer = ask(asker)
    assert names_of(answer["data"]) == ["a", "b", "c"]
    assert set(answer["data"][0]) == {"event", "timestamp", "data", "id"}
    assert answer["success"] is True
    assert answer["pagination"]["hasMore"] is False


def test_pages_follow_each_other_without_gap_or_double(asker):
    for number in range(7):
        happen(asker, f"{number}a", f"{number}b")
    seen, after = [], None
    for _ in range(20):
        answer = ask(asker, limit="3", **({"after": after} if after else {}))
        seen += names_of(answer["data"])
        after = answer["pagination"]["nextAfter"]
        if not answer["pagination"]["hasMore"]:
            break
    assert seen == [f"{number}{letter}" for number in range(7) for letter in "ab"]
    assert ask(asker, after=after)["data"] == []
    assert ask(asker, after=after)["pagination"]["nextAfter"] == after
    happen(asker, "new")
    assert names_of(ask(asker, after=after)["data"]) == ["new"]


def test_an_events_own_id_is_a_place_to_go_on_from(asker):
    happen(asker, "a", "b")
    happen(asker, "c")
    events = ask(asker)["data"]
    for place, one in enumerate(events):
        assert ask(asker, after=one["id"])["data"] == events[place + 1 :]


def test_latest_begins_now_also_where_nothing_has_happened(asker):
    first = ask(asker, after="latest")
    assert first["data"] == []
    happen(asker, "a")
    second = ask(asker, after="latest")
    assert second["data"] == []
    happen(asker, "b")
    assert names_of(ask(asker, after=first["pagination"]["nextAfter"])["data"]) == ["a", "b"]
    assert names_of(ask(asker, after=second["pagination"]["nextAfter"])["data"]) == ["b"]


def test_nothing_is_kept_before_somebody_asks(alice):
    happen(alice, "unheard")
    assert not Event.objects.exists()
    assert ask(alice)["data"] == []
    happen(alice, "heard")
    assert names_of(ask(alice)["data"]) == ["heard"]


# --- late commits


class Slow(threading.Thread):
    """A transaction that writes an event and commits when it is told to."""

    def __init__(self, account, name: str) -> None:
        super().__init__()
        self.account, self.name_ = account, name
        self.written, self.may_commit = threading.Event(), threading.Event()
        self.start()
        assert self.written.wait(10)

    def run(self) -> None:
        with transaction.atomic():
            happen(self.account, self.name_)
            self.written.set()
            self.may_commit.wait(10)
        connection.close()

    def commit(self) -> None:
        self.may_commit.set()
        self.join(10)


@pytest.mark.parametrize("after", [None, "latest"])
def test_a_transaction_that_commits_late_is_not_skipped(asker, after):
    start = ask(asker, after="latest")["pagination"]["nextAfter"] if after else None
    slow = Slow(asker, "early, but late")
    try:
        happen(asker, "quick")
        answer = ask(asker, at_once=True, **({"after": start} if start else {}))
        assert answer["data"] == [], "the quick one waits until nothing older can appear"
    finally:
        slow.commit()
    again = ask(asker, after=answer["pagination"]["nextAfter"])
    assert names_of(again["data"]) == ["early, but late", "quick"]


def test_latest_is_before_what_is_being_written(asker):
    slow = Slow(asker, "under way")
    try:
        after = ask(asker, at_once=True, after="latest")["pagination"]["nextAfter"]
    finally:
        slow.commit()
    assert names_of(ask(asker, after=after)["data"]) == ["under way"]


def test_a_reader_who_never_stops_sees_each_event_of_many_writers_once(asker):
    writers, each, stop = 4, 12, threading.Event()
    seen: list[str] = []

    def read() -> None:
        after, ends = None, time.monotonic() + 30
        while time.monotonic() < ends:
            last = stop.is_set() and settled()
            page = pulling.page(asker.pk, after=after, limit=5)
            seen.extend(names_of(page.events))
            after = page.next_after
            if last and not page.more:
                return

    def write(number: int) -> None:
        if number == writers:
            read()
            return
        try:
            for count in range(each):
                with transaction.atomic():
                    happen(asker, f"{number}.{count}")
                    time.sleep(0.002 * ((number + count) % 4))
        finally:
            left.append(number)
            if len(left) == writers:
                stop.set()

    left: list[int] = []
    together(writers + 1, write)
    assert sorted(seen) == sorted(f"{number}.{count}" for number in range(writers) for count in range(each))
    for number in range(writers):
        mine = [name for name in seen if name.startswith(f"{number}.")]
        assert mine == [f"{number}.{count}" for count in range(each)]


# --- a restored copy


def test_events_of_a_restored_copy_stay_in_order_and_old_places_hold(asker):
    happen(asker, "a")
    happen(asker, "b")
    happen(asker, "c")
    events = ask(asker)["data"]
    old = ask(asker, limit="1")["pagination"]["nextAfter"]
    # A dump carries the numbers of the other server, far beyond this one's.
    Event.objects.update(txid=2**40)
    far = f"cur_{2**40:x}_{old.split('_')[2]}"
    happen(asker, "new")
    assert names_of(ask(asker)["data"]) == ["a", "b", "c", "new"]
    assert names_of(ask(asker, after=far)["data"]) == ["b", "c", "new"]
    assert names_of(ask(asker, after=events[1]["id"])["data"]) == ["c", "new"]


# --- whose, and who may


def test_nobody_sees_anothers_events(asker, charlie):
    pulling.page(charlie.pk, after=None)
    happen(asker, "hers")
    happen(charlie, "his")
    assert names_of(ask(asker)["data"]) == ["hers"]
    theirs = ask(asker)["data"][0]["id"]
    foreign = api(charlie).get("/events", {"after": theirs})
    unknown = api(charlie).get("/events", {"after": f"evt_{uuid.uuid4().hex}"})
    assert without_trace(foreign) == without_trace(unknown)
    assert (foreign.status_code, faulty_fields(foreign)) == (400, ["after"])


@pytest.mark.parametrize(
    "query",
    [
        {"after": "yesterday"},
        {"after": "evt_"},
        {"after": "evt_" + "g" * 32},
        {"after": "evt_" + "a" * 33},
        {"after": "EVT_" + "a" * 32},
        {"after": "cur_"},
        {"after": "cur_1_"},
        {"after": "cur_" + "f" * 17 + "_" + "a" * 32},
        {"after": "cur_-1_" + "a" * 32},
        {"after": "\x00"},
        {"after": "é" * 30},
        {"after": "a" * 1000},
        {"after": ""},
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "٢"},
        {"limit": "many"},
        {"after": ["latest", "latest"]},
    ],
    ids=lambda query: ascii(query)[:50],
)
def test_what_cannot_be_read_is_refused_by_name(asker, query):
    answer = api(asker).get("/events", query)
    assert (answer.status_code, faulty_fields(answer)) == (400, list(query))


@pytest.mark.parametrize("txid", [0, 1, 2**62, 2**63 - 1, 2**64 - 1])
def test_any_place_that_was_made_up_gives_a_page(asker, txid):
    happen(asker, "a")
    place = f"cur_{txid:x}_{'f' * 32}"
    answer = ask(asker, after=place)
    assert names_of(answer["data"]) in (["a"], [])


def test_a_page_is_at_most_two_hundred(asker):
    happen(asker, *map(str, range(205)))
    answer = ask(asker, limit="1000")
    assert len(answer["data"]) == answer["pagination"]["limit"] == 200
    assert answer["pagination"]["hasMore"] is True


def test_a_key_without_the_scope_may_not_read(asker):
    assert api().get("/events").status_code == 401
    assert api(make_key(asker, scopes=("whatsapp:other",))[1]).get("/events").status_code == 403
    assert api(asker).post("/events", {}).status_code == 405


def test_a_page_costs_the_same_however_many_events(asker, django_assert_num_queries):
    account = make_account("pro")
    pulling.page(account.pk, after=None)
    for number in (1, 50):
        happen(account, *map(str, range(number)))
        with django_assert_num_queries(3):
            pulling.page(account.pk, after=None)
