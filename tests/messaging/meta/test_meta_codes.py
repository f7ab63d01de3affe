"""The code table is complete and decides as the documents say."""

from __future__ import annotations

import re

import pytest

from messaging.meta.codes import NO_CODE, MetaCode, Outcome, failure, known, lookup

# Every code of the reference, row by row.
DOCUMENTED = [
    *(0, 3, 10, 33, 102, 104, 190, 200, 131005, 2500),
    *(1, 2, 4, 17, 32, 613, 80008, 80007, 130429, 131048, 131056, 131064, 133016),
    *(368, 130497, 131031, 131037, 131042, 131044, 131045, 131057),
    *(133000, 133004, 133005, 133006, 133008, 133009, 133015, 133010, 134011, 2494100),
    *(100, 130403, 130472, 131000, 131008, 131009, 131014, 131016, 131021, 131026, 131030, 131047),
    *(131049, 131050, 131051, 131052, 131053, 131055, 131059, 131062, 131063),
    *(132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016, 132018, 132068, 132069),
    *(134100, 134101, 134102, 135000, 137000, 131020, 131041, 131201, 131207, 131215),
    *(138000, 138999, 139000, 139004, 139100, 139103, 147001, 147005, 1752041, 2593107, 2593109),
    *(2388019, 2388023, 2388024, 2388039, 2388040, 2388047, 2388072, 2388073, 2388293, 2388299),
    *(200005, 200006, 200007, 192, 201, 299),
]

OUTCOMES = [
    (0, Outcome.HOLD_CREDENTIALS),
    (3, Outcome.HOLD_CREDENTIALS),
    (10, Outcome.HOLD_CREDENTIALS),
    (190, Outcome.HOLD_CREDENTIALS),
    (294, Outcome.HOLD_CREDENTIALS),
    (131005, Outcome.HOLD_CREDENTIALS),
    (1, Outcome.RETRY),
    (2, Outcome.RETRY),
    (131000, Outcome.RETRY),
    (131016, Outcome.RETRY),
    (131057, Outcome.RETRY),
    (4, Outcome.THROTTLE_ACCOUNT),
    (80007, Outcome.THROTTLE_ACCOUNT),
    (80008, Outcome.THROTTLE_ACCOUNT),
    (613, Outcome.THROTTLE_ACCOUNT),
    (130429, Outcome.THROTTLE_NUMBER),
    (131056, Outcome.THROTTLE_PAIR),
    (131048, Outcome.PAUSE_ACCOUNT),
    (131064, Outcome.PAUSE_ACCOUNT),
    (368, Outcome.PAUSE_ACCOUNT),
    (131031, Outcome.PAUSE_ACCOUNT),
    (131042, Outcome.PAUSE_ACCOUNT),
    (133010, Outcome.PAUSE_ACCOUNT),
    (100, Outcome.FAIL),
    (131009, Outcome.FAIL),
    (131030, Outcome.FAIL),
    (132018, Outcome.FAIL),
    (132000, Outcome.FAIL_TEMPLATE),
    (132001, Outcome.FAIL_TEMPLATE),
    (132012, Outcome.FAIL_TEMPLATE),
    (132015, Outcome.FAIL_TEMPLATE),
    (132016, Outcome.FAIL_TEMPLATE),
    (131026, Outcome.FAIL_RECIPIENT),
    (131047, Outcome.FAIL_RECIPIENT),
    (131049, Outcome.FAIL_RECIPIENT),
    (131050, Outcome.FAIL_RECIPIENT),
    (130472, Outcome.FAIL_RECIPIENT),
]


@pytest.mark.parametrize("code", DOCUMENTED)
def test_it_knows_every_documented_code(code):
    found = lookup(code)
    assert found.code == code
    assert found.slug not in {"refused", "meta_server_error", "rate_limited"}


@pytest.mark.parametrize(("code", "outcome"), OUTCOMES)
def test_it_decides_by_the_code_whatever_the_http_status_of_a_refusal(code, outcome):
    for status in (None, 400, 401, 403, 404, 429):
        assert lookup(code, http_status=status).outcome is outcome


@pytest.mark.parametrize("code", [1, 131000])
def test_it_does_not_believe_a_code_that_says_nothing_on_a_server_error(code):
    assert lookup(code, http_status=400).outcome is Outcome.RETRY
    assert lookup(code, http_status=500).outcome is Outcome.UNKNOWN
    assert lookup(code, http_status=503).tells == lookup(code).tells


@pytest.mark.parametrize("code", [2, 3, 190, 130429, 131016, 131045, 131057, 134102, 2494100])
def test_it_believes_a_code_that_names_its_reason_even_on_a_server_error(code):
    assert lookup(code, http_status=500) == lookup(code)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (429, Outcome.THROTTLE_NUMBER),
        (401, Outcome.HOLD_CREDENTIALS),
        (403, Outcome.HOLD_CREDENTIALS),
        (400, Outcome.FAIL),
        (404, Outcome.FAIL),
        (422, Outcome.FAIL),
        (408, Outcome.UNKNOWN),
        (500, Outcome.UNKNOWN),
        (502, Outcome.UNKNOWN),
        (503, Outcome.UNKNOWN),
        (504, Outcome.UNKNOWN),
        (302, Outcome.FAIL),
        (None, Outcome.FAIL),
    ],
)
@pytest.mark.parametrize("code", [None, 999_999, -5])
def test_it_falls_back_to_the_http_status_for_unknown_codes(code, status, outcome):
    found = lookup(code, http_status=status)
    assert found.outcome is outcome
    assert found.code == (NO_CODE if code is None else code)


@pytest.mark.parametrize(
    ("code", "subcode", "slug"),
    [
        (100, 33, "object_not_visible"),
        (33, None, "object_not_visible"),
        (100, None, "parameter_invalid"),
        (100, 2388023, "template_being_deleted"),
        (100, 190, "parameter_invalid"),
        (100, 2494010, "parameter_invalid"),
        (190, 463, "access_token_expired"),
        (190, 1, "access_token_invalid"),
        (131047, 2494055, "reengagement_window_closed"),
        (250, 33, "permission_missing"),
    ],
)
def test_it_reads_a_subcode_only_where_it_means_something(code, subcode, slug):
    assert lookup(code, subcode=subcode).slug == slug


def test_an_invisible_number_holds_its_queue_instead_of_failing_it():
    assert lookup(100, subcode=33, http_status=400).outcome is Outcome.HOLD_CREDENTIALS


@pytest.mark.parametrize(
    ("code", "slug"),
    [
        (132015, "template_paused_by_meta"),
        (132016, "template_disabled_by_meta"),
        (132000, "template_broken_at_meta"),
        (132012, "template_broken_at_meta"),
        (131026, "recipient_unreachable"),
        (130429, "rate_limit_hit"),
        (131047, "reengagement_window_closed"),
    ],
)
def test_it_keeps_the_names_other_documents_use(code, slug):
    assert lookup(code).slug == slug


FALLBACKS = [lookup(None, http_status=status) for status in (None, 302, 401, 403, 408, 429, 500)]


@pytest.mark.parametrize("meta", [*known(), *FALLBACKS], ids=lambda meta: f"{meta.code}-{meta.slug}")
def test_it_tells_the_customer_something_useful(meta: MetaCode):
    assert meta.channel in {"s", "w", "s/w"}
    assert meta.tells.endswith(".")
    assert meta.tells[0].isupper()
    assert 60 <= len(meta.tells) <= 300, "long enough to help, short enough for a table"
    assert "  " not in meta.tells
    assert "\n" not in meta.tells


@pytest.mark.parametrize("meta", [*known(), *FALLBACKS], ids=lambda meta: f"{meta.code}-{meta.slug}")
def test_it_promises_nothing_of_a_message_that_has_failed(meta: MetaCode):
    assert not re.search("by itself|Nothing to do|waiting messages|stays paused|resume|We wait", meta.ended)
    assert re.fullmatch(r"[A-Z][^\n]{58,300}\.", meta.ended)
    assert "  " not in meta.ended
    if meta.outcome in {Outcome.RETRY, Outcome.UNKNOWN} and meta.code != 131053:
        assert meta.once_failed


def test_every_slug_is_one_thing():
    slugs = [meta.slug for meta in known()]
    shared = {slug for slug in slugs if slugs.count(slug) > 1}
    assert shared == {"template_broken_at_meta", "object_not_visible"}


def test_held_and_paused_numbers_are_told_who_acts():
    for meta in known():
        if meta.outcome in {Outcome.HOLD_CREDENTIALS, Outcome.PAUSE_ACCOUNT}:
            assert "Nothing to do" not in meta.tells, meta.slug


def test_an_asynchronous_failure_uses_the_same_table():
    found = failure(131049, "Kept back by Meta", "In order to maintain a healthy ecosystem")
    assert found.meta.slug == "marketing_limit_for_recipient"
    assert (found.title, found.details) == ("Kept back by Meta", "In order to maintain a healthy ecosystem")


def test_an_asynchronous_failure_without_anything_is_still_readable():
    found = failure(None)
    assert found.meta.outcome is Outcome.FAIL
    assert found.title == "Refused by Meta"
