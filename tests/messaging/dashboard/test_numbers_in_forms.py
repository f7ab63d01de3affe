"""Every page that takes a phone number reads it alike: forms, the table of many, the suppression list."""

from __future__ import annotations

import pytest

from messaging import suppressions
from messaging.models import Message, Suppression
from tests import factories
from tests.support.people import make_owned, signed_in

pytestmark = pytest.mark.django_db

PAGES = ["/app/compose", "/app/compose/many", "/app/suppressions", "/app/setup/test"]
#: written so, it is 14155550100
READ = [
    "+1 (415) 555-0100",
    "\u202a+14155550100\u202c",
    "\u200e14155550100",
    "١٤١٥٥٥٥٠١٠٠",
    "１４１５５５５０１００",
]
#: written so, it may be somebody else's
REFUSED = {
    "14155550100.0": "decimal number",
    "1.41556E+10": "cut this number short",
    "+44 (0)7911 123456": "Did you mean +447911123456?",
    "+4407911123456": "Did you mean +447911123456?",
    "+49 (0) 151 12345678": "Did you mean +4915112345678?",
    "14155550100 / 14155550101": "two numbers",
    "+1 415 555 0100 ext. 5": "Only digits",
    "4155552671": "country code",
}


@pytest.fixture
def alice():
    made = make_owned("Alice")
    factories.connect(made)
    made.connections.update(status="active")
    return made


def post(account, page, written):
    """Write a number into a page's form, or into the table of many."""
    client, given = signed_in(account), {"kind": "text", "text": "Hello", "to": written}
    if page.endswith("many"):
        given = {"kind": "text", "sheet": f'to;message\n"{written}";Hello', "go": "1"}
    return client.post(page, given)


def reached(account) -> list[str]:
    """Return whom something was sent to or kept from."""
    sent = Message.objects.filter(account=account).values_list("recipient", flat=True)
    return [*sent, *Suppression.objects.filter(account=account).values_list("phone", flat=True)]


@pytest.mark.parametrize("page", PAGES)
def test_what_people_paste_is_the_number_they_mean(alice, page):
    for written in READ:
        assert post(alice, page, written).status_code == 302, written
        assert set(reached(alice)) == {"14155550100"}, written


@pytest.mark.parametrize("page", PAGES)
def test_what_may_be_somebody_elses_number_is_refused_in_words(alice, page):
    for written, said in REFUSED.items():
        answer = post(alice, page, written)
        assert answer.status_code == (200 if page.endswith("many") else 400), written
        assert said in answer.content.decode(), written
    assert reached(alice) == []


def test_an_arabic_reader_is_told_in_arabic(alice):
    owner = alice.memberships.get().user
    owner.language = "ar"
    owner.save()
    answer = post(alice, "/app/suppressions", "+44 (0)7911 123456")
    assert "هل تقصد \u2068+447911123456\u2069؟" in answer.content.decode()


def test_an_address_is_not_misread_into_the_form_and_the_list_finds_what_it_holds(alice):
    client = signed_in(alice)
    assert 'value="14155550100.0"' in client.get("/app/compose?to=14155550100.0").content.decode()
    assert 'value="+14155550100"' in client.get("/app/compose?to=%E2%80%AA14155550100").content.decode()
    for phone in ("4407911123456", "14155550100"):  # the first was misread by an earlier version
        suppressions.suppress(alice.pk, phone, reason=Suppression.Reason.MANUAL)
    assert "4407911123456" in client.get("/app/suppressions?q=%2B4407911123456").content.decode()
    client.post("/app/suppressions/remove", {"to": "14155550100.0"})
    assert set(reached(alice)) == {"4407911123456", "14155550100"}
    client.post("/app/suppressions/remove", {"to": "4407911123456"})
    client.post("/app/suppressions/remove", {"to": "+1 415 555 0100"})
    assert reached(alice) == []
