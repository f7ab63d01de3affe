"""The sandbox keeps Meta's limits: throughput, pair, window, management calls; and its clock can be moved."""

import pytest

from devstack.meta.limits import Limiter
from tests.support.waiting import eventually


def test_it_refills_a_bucket_by_time():
    limiter = Limiter()
    assert [limiter.take("a", 100.0, 6.0, 3) for _ in range(4)] == [True, True, True, False]
    assert limiter.wait("a", 100.0, 6.0, 3) == pytest.approx(6.0)
    assert not limiter.take("a", 105.9, 6.0, 3)
    assert limiter.take("a", 106.0, 6.0, 3) and limiter.take("b", 100.0, 6.0, 3)
    assert [limiter.take("a", 1000.0, 6.0, 3) for _ in range(4)] == [True, True, True, False]


def test_it_forgets_full_buckets():
    limiter = Limiter()
    for key in range(50_001):
        limiter.take(key, float(key), 1.0, 1)
    assert len(limiter) < 10


def test_it_limits_the_throughput_of_a_number(meta, refused):
    meta.control("PATCH", f"numbers/{meta.number.phone_number_id}", {"rate": 5})
    answers = [meta.template(meta.customer()) for _ in range(12)]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    refused(answers[-1], 130429, 429)
    meta.control("POST", "clock", {"advance": 1})
    assert meta.template(meta.customer()).status_code == 200
    other = meta.world.numbers[next(iter(meta.world.numbers))]
    body = {"messaging_product": "whatsapp", "to": meta.customer(), "text": {"body": "x"}}
    assert meta.call("POST", f"{other.id}/messages", token=other.token, json=body).status_code == 200


def test_it_overrides_the_rate_of_every_number(meta, refused):
    meta.options(number_rate=2)
    assert [meta.template(meta.customer()).status_code for _ in range(4)][:2] == [200, 200]
    refused(meta.template(meta.customer()), 130429, 429)
    meta.options(number_rate=0)
    assert {meta.template(meta.customer()).status_code for _ in range(30)} == {200}


@pytest.mark.parametrize(
    ("change", "rate"),
    [({}, 80), ({"throughput_level": "HIGH"}, 1000), ({"is_on_biz_app": True}, 20), ({"rate": 7}, 7)],
)
def test_it_knows_the_rate_of_each_level(meta, change, rate):
    meta.control("PATCH", f"numbers/{meta.number.phone_number_id}", change)
    assert meta.world.numbers[meta.number.phone_number_id].messages_per_second() == rate


def test_it_limits_a_pair_but_not_the_others(meta, refused):
    meta.options(number_rate=0)
    to = meta.customer()
    assert [meta.template(to).status_code for _ in range(45)] == [200] * 45
    refused(meta.template(to), 131056)
    assert meta.template(meta.customer()).status_code == 200
    meta.control("POST", "clock", {"advance": 6})
    assert meta.template(to).status_code == 200
    refused(meta.template(to), 131056)
    meta.options(pair_burst=0)
    assert meta.template(to).status_code == 200


def test_it_opens_the_window_when_the_customer_writes(meta):
    to = meta.customer()
    early = meta.wamid(meta.text(to))
    eventually(lambda: meta.receiver.names(early) == ["failed"])
    assert meta.receiver.statuses(early)[0]["errors"][0]["code"] == 131047
    meta.writes(to[1:], text="I have a question")
    inside = meta.wamid(meta.text(to))
    eventually(lambda: meta.receiver.names(inside) == ["sent", "delivered", "read"])
    pricing = meta.receiver.statuses(inside)[0]["pricing"]
    assert (
        pricing["category"] == "service"
        and pricing["type"] == "free_customer_service"
        and not pricing["billable"]
    )
    utility = meta.wamid(meta.template(to))
    eventually(lambda: meta.receiver.statuses(utility))
    assert meta.receiver.statuses(utility)[0]["pricing"]["type"] == "free_customer_service"
    meta.control("POST", "clock", {"advance": 24 * 3600 + 1})
    late = meta.wamid(meta.text(to))
    eventually(lambda: meta.receiver.names(late) == ["failed"])
    template = meta.wamid(meta.template(to))
    eventually(lambda: len(meta.receiver.statuses(template)) == 3)


@pytest.mark.parametrize("kind", ["reaction", "system", "revoke"])
def test_it_does_not_open_the_window_for(meta, kind):
    meta.writes("14155552671", type=kind)
    assert not meta.world.window_open(meta.number.phone_number_id, "14155552671")


def test_it_sends_reactions_only_once(meta):
    wamid = meta.writes("14155552671", text="hi")["id"]
    body = {"messaging_product": "whatsapp", "to": "+14155552671", "type": "reaction"}
    answer = meta.send(body | {"reaction": {"message_id": wamid, "emoji": "\N{THUMBS UP SIGN}"}})
    eventually(lambda: meta.receiver.names(meta.wamid(answer)) == ["sent"])
    eventually(lambda: meta.control("GET", "state")["planned"] == 0)
    assert meta.receiver.names(meta.wamid(answer)) == ["sent"]


def test_it_finds_out_later_about_media_of_a_wrong_kind(meta):
    meta.writes("14155552671", text="hi")
    for link in ("https://example.com/a.webp", "https://example.com/a.jpg"):
        wamid = meta.wamid(
            meta.send(
                {
                    "messaging_product": "whatsapp",
                    "to": "+14155552671",
                    "type": "image",
                    "image": {"link": link},
                }
            )
        )
        expected = 1 if link.endswith("webp") else 3
        eventually(lambda wamid=wamid, expected=expected: len(meta.receiver.statuses(wamid)) == expected)
        if expected == 1:
            assert meta.receiver.statuses(wamid)[0]["errors"][0]["code"] == 131053


def test_it_limits_management_calls_by_the_hour(meta, refused):
    meta.options(management_rate=3)
    path = meta.number.waba_id
    answers = [meta.call("GET", path) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused(answers[3], 80007, 429)
    assert "estimated_time_to_regain_access" in answers[0].headers["x-business-use-case-usage"]
    meta.control("POST", "clock", {"advance": 3600})
    assert meta.call("GET", path).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "accepted"),
    [("error_429", 429, 0), ("error_500_before", 500, 0), ("html_503", 503, 0), ("error_500_after", 500, 1)],
)
def test_it_breaks_every_exchange_on_request(meta, fault, status, accepted):
    meta.options(**{fault: 100})
    assert meta.template(meta.customer()).status_code == status
    assert len(meta.accepted()) == accepted


@pytest.mark.parametrize(("fault", "accepted"), [("reset_before", 0), ("reset_after", 1), ("hang_after", 1)])
def test_it_breaks_every_connection_on_request(meta, fault, accepted):
    meta.options(**{fault: 100, "hang_seconds": 0.05})
    with pytest.raises(IOError):
        meta.template(meta.customer())
    assert len(meta.accepted()) == accepted


def test_it_mixes_faults_by_percentage(meta):
    meta.options(error_429=50, number_rate=0)
    codes = [meta.template(meta.customer()).status_code for _ in range(80)]
    assert 15 < codes.count(429) < 65 and codes.count(200) == 80 - codes.count(429) == len(meta.accepted())


def test_it_takes_its_time_when_told_so(meta):
    meta.options(latency_ms=120)
    assert meta.template(meta.customer()).elapsed.total_seconds() >= 0.12
