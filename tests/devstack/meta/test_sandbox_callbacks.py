"""Callbacks are signed over Meta's escaped bytes, batched, lost, doubled, shuffled and redelivered."""

import itertools
import json

import pytest

from devstack.meta import callbacks, seed
from tests.support.waiting import eventually


def test_it_signs_escaped_json_bytes(meta):
    meta.writes("14155552671", name="Zoë", text="Grüße 😀 see https://example.com/a")
    post = eventually(lambda: meta.receiver.posts)[0]
    assert post.signed_with(seed.APP_SECRET) and not post.signed_with("another secret")
    assert b"Gr\\u00fc\\u00dfe \\ud83d\\ude00 see https:\\/\\/example.com\\/a" in post.raw
    assert b"Zo\\u00eb" in post.raw and post.raw.isascii() and b": " not in post.raw
    assert post.headers["User-Agent"] == "facebookexternalua"
    assert post.headers["Content-Type"] == "application/json"
    assert post.headers["X-Hub-Signature"].startswith("sha1=")


def test_what_happens_now_does_not_wait_for_what_is_planned_for_later(meta):
    meta.options(delivered_delay=3600, read_delay=3601)
    meta.template(meta.customer())
    eventually(lambda: meta.receiver.names() == ["sent"])
    meta.writes("14155552671", text="Hello?")
    assert eventually(meta.receiver.messages, seconds=5)[0]["text"] == {"body": "Hello?"}


def test_nothing_planned_before_a_reset_keeps_the_timetable(meta):
    meta.options(delivered_delay=3600, read_delay=3601)
    meta.template(meta.customer())
    eventually(lambda: meta.receiver.names() == ["sent"])
    meta.control("POST", "reset")
    meta.writes("14155552671", text="Hello?")
    assert eventually(meta.receiver.messages, seconds=5)[0]["text"] == {"body": "Hello?"}


def test_it_reports_the_life_of_a_message(meta):
    answer = meta.template(meta.customer(), biz_opaque_callback_data="gw:1")
    wamid = meta.wamid(answer)
    eventually(lambda: meta.receiver.names(wamid) == ["sent", "delivered", "read"])
    sent, delivered, read = meta.receiver.statuses(wamid)
    assert sent["pricing"] == {
        "billable": True,
        "pricing_model": "PMP",
        "type": "regular",
        "category": "utility",
    }
    assert "pricing" in delivered and "pricing" not in read and "conversation" not in sent
    assert sent["recipient_id"] == answer.json()["contacts"][0]["wa_id"] and sent["timestamp"].isdigit()
    assert {one["biz_opaque_callback_data"] for one in (sent, delivered, read)} == {"gw:1"}
    value = meta.receiver.values()[0]
    assert value["metadata"] == {
        "display_phone_number": meta.number.phone[1:],
        "phone_number_id": meta.number.phone_number_id,
    }
    assert value["contacts"][0]["wa_id"] == sent["recipient_id"]
    assert meta.receiver.posts[0].body["entry"][0]["id"] == meta.number.waba_id
    assert meta.accepted(ref="gw:1")[0]["status"] == "read"


def test_it_has_the_shape_of_the_chosen_version(meta):
    meta.options(api_version="v23", with_contacts=False, with_user_ids=False)
    wamid = meta.wamid(meta.template(meta.customer()))
    eventually(lambda: len(meta.receiver.statuses(wamid)) == 3)
    sent, delivered, _ = meta.receiver.statuses(wamid)
    assert (
        sent["conversation"]["origin"] == {"type": "utility"}
        and "expiration_timestamp" in sent["conversation"]
    )
    assert "expiration_timestamp" not in delivered["conversation"] and "recipient_user_id" not in sent
    assert all("contacts" not in value for value in meta.receiver.values())


def test_it_leaves_out_statuses_on_request(meta):
    meta.options(read_delay=None, skip_delivered=0)
    first = meta.wamid(meta.template(meta.customer()))
    eventually(lambda: meta.receiver.names(first) == ["sent", "delivered"])
    meta.options(read_delay=0.05, skip_delivered=100)
    second = meta.wamid(meta.template(meta.customer()))
    eventually(lambda: meta.receiver.names(second) == ["sent", "read"])
    assert "pricing" in meta.receiver.statuses(second)[1]


def test_it_redelivers_the_same_bytes_with_growing_delay(meta):
    meta.receiver.answers = [500, 404, 302]
    meta.writes("14155552671", text="hello")
    posts = eventually(lambda: len(meta.receiver.posts) == 4 and meta.receiver.posts)
    assert len({post.raw for post in posts}) == 1 and all(post.signed_with(seed.APP_SECRET) for post in posts)
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(posts)]
    assert gaps[0] < gaps[1] < gaps[2] and gaps[0] >= 0.05
    eventually(lambda: meta.control("GET", "state")["callbacks_waiting"] == 0)
    assert meta.control("GET", "state")["stats"]["redeliveries"] == 3


def test_it_gives_up_after_seven_days(meta):
    meta.receiver.answers = [500] * 1000
    meta.writes("14155552671", text="hello")
    eventually(lambda: meta.receiver.posts)
    meta.control("POST", "clock", {"advance": callbacks.GIVE_UP_AFTER + 60})
    eventually(lambda: meta.control("GET", "state")["stats"].get("callbacks_given_up") == 1)
    assert meta.control("GET", "state")["planned"] == 0


def test_it_delivers_when_the_receiver_comes_back(meta):
    port = int(meta.receiver.url.split(":")[2].split("/")[0])
    meta.receiver.close()
    wamid = meta.wamid(meta.template(meta.customer()))
    eventually(lambda: meta.control("GET", "state")["stats"].get("callbacks_refused", 0) >= 3)
    back = type(meta.receiver)(port)
    eventually(lambda: sorted(back.names(wamid)) == ["delivered", "read", "sent"])
    back.close()


def test_it_batches_up_to_the_given_size(meta):
    meta.options(batch_size=1000, callback_concurrency=1, number_rate=0, sent_delay=0.3, delivered_delay=0.3,
                 read_delay=0.3)  # fmt: skip
    wamids = [meta.wamid(meta.template(meta.customer())) for _ in range(20)]
    eventually(lambda: len(meta.receiver.statuses()) == 60)
    assert len(meta.receiver.posts) < 60
    assert {one["id"] for one in meta.receiver.statuses()} == set(wamids)
    most = max(len(value["statuses"]) for value in meta.receiver.values())
    assert most > 1
    meta.options(batch_size=1)
    before = len(meta.receiver.posts)
    wamid = meta.wamid(meta.template(meta.customer()))
    eventually(lambda: len(meta.receiver.statuses(wamid)) == 3)
    assert len(meta.receiver.posts) == before + 3


def test_it_packs_many_accounts_and_fields_into_one_envelope(meta):
    number = meta.world.numbers[meta.number.phone_number_id]
    other = meta.world.numbers[seed.number(2).phone_number_id]
    item = callbacks.Item
    items = [
        item(number.waba_id, "messages", {"id": "1"}, "statuses", number, {"wa_id": "1"}),
        item(number.waba_id, "messages", {"id": "2"}, "statuses", number, {"wa_id": "2"}),
        item(number.waba_id, "messages", {"id": "3"}, "messages", number, {"wa_id": "1"}),
        item(other.waba_id, "messages", {"id": "4"}, "statuses", other, None),
        item(other.waba_id, "account_update", {"event": "X"}),
    ]
    made = callbacks.envelope(items, 1000.5)
    assert made["object"] == "whatsapp_business_account"
    first, second, third = made["entry"]
    assert [change["value"].get("statuses") for change in first["changes"]] == [
        [{"id": "1"}, {"id": "2"}],
        None,
    ]
    assert first["changes"][0]["value"]["contacts"] == [{"wa_id": "1"}, {"wa_id": "2"}]
    assert second["id"] == other.waba_id and "time" not in second
    assert third == {
        "id": other.waba_id,
        "time": 1000,
        "changes": [{"value": {"event": "X"}, "field": "account_update"}],
    }


def test_it_loses_and_doubles_callbacks_on_request(meta):
    meta.options(callback_loss=100)
    meta.wamid(meta.template(meta.customer()))
    eventually(lambda: meta.control("GET", "state")["stats"].get("callbacks_lost") == 3)
    assert meta.receiver.posts == []
    meta.options(callback_loss=0, callback_duplicate=100)
    wamid = meta.wamid(meta.template(meta.customer()))
    eventually(lambda: len(meta.receiver.statuses(wamid)) == 6)


def test_it_shuffles_callbacks_on_request(meta):
    meta.options(shuffle=True)
    wamids = [meta.wamid(meta.template(meta.customer())) for _ in range(25)]
    eventually(lambda: len(meta.receiver.statuses()) == 75)
    orders = {tuple(meta.receiver.names(wamid)) for wamid in wamids}
    assert len(orders) > 1 and all(sorted(order) == ["delivered", "read", "sent"] for order in orders)


def test_it_can_call_back_before_every_answer(meta):
    meta.options(callback_before_answer=100)
    wamid = meta.wamid(meta.template(meta.customer()))
    assert meta.receiver.names(wamid)[0] == "sent"


@pytest.mark.parametrize("path", ["waba", "phone"])
def test_it_prefers_an_override_for_messages_only(meta, refused, path):
    url = meta.receiver.url.replace("/hook", f"/{path}")
    given = {"override_callback_uri": url, "verify_token": "wrong"}

    def override(values):
        if path == "waba":
            return meta.call("POST", f"{meta.number.waba_id}/subscribed_apps", json=values)
        return meta.call("POST", meta.number.phone_number_id, json={"webhook_configuration": values})

    refused(override(given), 2200)
    meta.receiver.verifies.add("right")
    assert override(given | {"verify_token": "right"}).json() == {"success": True}
    meta.writes("14155552671", text="hello")
    assert eventually(lambda: meta.receiver.posts)[0].path == f"/{path}"
    value = {"event": "ACCOUNT_DELETED"}
    meta.writes("1", field="account_update", value=value)
    eventually(lambda: len(meta.receiver.posts) == 2)
    assert meta.receiver.posts[1].path == "/hook"
    config = meta.call("GET", f"{meta.number.phone_number_id}?fields=webhook_configuration").json()
    assert url in config["webhook_configuration"].values()
    assert override({"override_callback_uri": ""}).json() == {"success": True}
    meta.writes("14155552671", text="hello again")
    eventually(lambda: len(meta.receiver.posts) == 3)
    assert meta.receiver.posts[2].path == "/hook"


def test_it_signs_with_the_secret_of_the_owning_app(meta):
    wish = {"own_app": True, "callback_url": meta.receiver.url.replace("/hook", "/own"), "verify_token": "v"}
    made = meta.control("POST", "numbers", wish, expect=201)
    meta.control(
        "POST", "inbound", {"phone_number_id": made["phone_number_id"], "from": "14155552671", "text": "x"}
    )
    post = eventually(lambda: meta.receiver.posts)[0]
    assert (
        post.path == "/own" and post.signed_with(made["app_secret"]) and not post.signed_with(seed.APP_SECRET)
    )


def test_it_stays_silent_without_subscription(meta):
    path = f"{meta.number.waba_id}/subscribed_apps"
    assert meta.call("DELETE", path).json() == {"success": True}
    assert meta.call("GET", path).json() == {"data": []}
    meta.wamid(meta.template(meta.customer()))
    eventually(lambda: meta.control("GET", "state")["stats"].get("callbacks_without_address") == 3)
    assert meta.receiver.posts == []
    given = {"override_callback_uri": meta.receiver.url, "verify_token": seed.VERIFY_TOKEN}
    answer = meta.call("POST", path, json=given)
    assert answer.status_code == 400 and "must be subscribed" in answer.json()["error"]["message"]
    assert meta.call("POST", path).json() == {"success": True}
    row = meta.call("GET", path).json()["data"][0]
    assert row["whatsapp_business_api_data"]["id"] == seed.APP_ID


def test_it_escapes_what_meta_escapes():
    assert callbacks.escaped({"a": "é/😀"}) == b'{"a":"\\u00e9\\/\\ud83d\\ude00"}'
    assert json.loads(callbacks.escaped({"a": "é/😀"})) == {"a": "é/😀"}
