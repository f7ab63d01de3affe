"""W8: a local ``sendAt`` is a time in ``timezone``; what no clock or two clocks show is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from core import moments
from messaging.models import Message
from tests.factories import api, faulty_fields, make_message
from tests.support.classic import TEXT, later, send

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")


def fault(answer) -> str:
    """Return the sentence of a 400 with one fault."""
    assert answer.status_code == 400, answer.content
    (one,) = answer.json()["details"]
    return f"{one['field']}: {one['message']}"


def next_odd(*, is_gap: bool) -> datetime:
    """Return the next time that Berlin's clocks leap over, or show twice."""
    day = timezone.now().astimezone(BERLIN).replace(tzinfo=None, hour=2, minute=30, second=0, microsecond=0)
    while True:
        day += timedelta(days=1)
        first, second = (day.replace(tzinfo=BERLIN, fold=fold).utcoffset() for fold in (0, 1))
        if (first < second) if is_gap else (first > second):
            return day


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Africa/Cairo", "Asia/Kolkata", "America/Sao_Paulo", "UTC"]
)
def test_a_local_time_is_read_in_its_zone_by_both_endpoints(ready, zone):
    local = (timezone.now() + timedelta(days=30)).replace(hour=12, tzinfo=None, microsecond=0)
    body = TEXT | {"sendAt": local.isoformat(), "timezone": zone}
    assert send(ready, body).status_code == 202
    assert api(ready).post_json("/messages/bulk", {"messages": [body]}).status_code == 202
    due = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert set(Message.objects.values_list("scheduled_for", flat=True)) == {due}


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berlim", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("PST", "IANA"),
        ("UTC+2", "IANA"),
        ("+02:00", "IANA"),
        ("../../etc/passwd", "IANA"),
        ("Europe", "IANA"),
        ("localtime", "IANA"),
        ("right/Europe/Berlin", "Did you mean"),
        (2, "Must be a string"),
    ],
)
def test_an_unknown_zone_is_refused_also_without_a_moment(ready, zone, words):
    assert words in fault(send(ready, TEXT | {"timezone": zone}))
    item = TEXT | {"sendAt": "2099-05-01T09:00:00", "timezone": zone}
    answer = api(ready).post_json("/messages/bulk", {"messages": [item]})
    assert "messages[0].timezone" in faulty_fields(answer)
    assert not Message.objects.exists()


@pytest.mark.parametrize("is_gap", [True, False])
def test_a_time_that_does_not_exist_or_exists_twice_is_refused_with_both_choices(ready, is_gap):
    local = next_odd(is_gap=is_gap)
    said = fault(send(ready, TEXT | {"sendAt": local.isoformat(), "timezone": "Europe/Berlin"}))
    day = local.date().isoformat()
    if is_gap:
        choices = [f"{day}T01:30:00+01:00", f"{day}T03:30:00+02:00"]
    else:
        choices = [f"{day}T02:30:00+02:00", f"{day}T02:30:00+01:00"]
    assert said.startswith("sendAt: ") and f"Write {choices[0]} or {choices[1]}." in said
    for choice in choices:
        assert moments.placed(datetime.fromisoformat(choice), BERLIN) == datetime.fromisoformat(choice)
    assert not Message.objects.exists()


def test_every_moment_without_an_offset_is_read_in_the_zone_beside_it(ready):
    """A key that lives hours too long, events told again or left out: silence would harm here, too."""
    who, day = api(ready), later(days=3)[:10]
    body = {"name": "CI", "expiresAt": f"{day}T12:00", "timezone": "Asia/Kolkata"}
    made = who.post_json("/auth/me/keys", body).json()["data"]
    assert made["expiresAt"] == f"{day}T06:30:00Z"
    assert faulty_fields(who.post_json("/auth/me/keys", body | {"timezone": "Mars"})) == ["timezone"]
    hook = who.post_json("/webhook-endpoints", {"url": "https://example.com/hook"}).json()["data"]["id"]
    wanted = {"since": f"{day}T12:00", "until": f"{day}T12:00Z", "timezone": "Pacific/Honolulu"}
    assert faulty_fields(who.post_json(f"/webhook-endpoints/{hook}/replay", wanted | {"timezone": "x"}))
    message = make_message(ready)
    local = message.created_at.astimezone(ZoneInfo("Asia/Kolkata")).strftime("%Y-%m-%dT%H:%M")
    for address in ("/messages", "/messages/export"):
        asked = f"{address}?createdFrom={local}&timezone="
        found = [who.get(f"{asked}{zone}").getvalue().decode() for zone in ("Asia/Kolkata", "UTC")]
        assert [str(message.pk) in one for one in found] == [True, False], found


@pytest.mark.parametrize(("zone", "status"), [("Africa/Cairo", 400), ("Mars", 400), ("UTC", 200)])
def test_days_of_another_zone_are_not_counted_as_if_they_were(ready, zone, status):
    answer = api(ready).get(f"/analytics/summary?timezone={zone}")
    assert answer.status_code == status
    assert status == 200 or faulty_fields(answer) == ["timezone"]


def test_an_offset_beside_a_zone_must_be_its_own_and_utc_is_a_moment():
    may = datetime.fromisoformat
    assert moments.placed(may("2027-05-01T09:00:00+02:00"), BERLIN) == may("2027-05-01T07:00:00+00:00")
    assert moments.placed(may("2027-05-01T09:00:00+00:00"), BERLIN) == may("2027-05-01T09:00:00+00:00")
    with pytest.raises(moments.Unclear, match=r"10:00:00\+02:00"):
        moments.placed(may("2027-05-01T09:00:00+01:00"), BERLIN)


def test_a_zone_that_moved_its_clocks_by_half_an_hour_or_a_day_is_read_right():
    may = datetime.fromisoformat
    howe, apia = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Apia")
    with pytest.raises(moments.Unclear, match=r"twice.*01:45:00\+11:00 or .*01:45:00\+10:30"):
        moments.placed(may("2027-04-04T01:45:00"), howe)
    with pytest.raises(moments.Unclear, match=r"leaps over.*2011-12-29T09:00:00-10:00 or 2011-12-31"):
        moments.placed(may("2011-12-30T09:00:00"), apia)
