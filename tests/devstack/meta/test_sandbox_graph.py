"""The Graph API around the sends: tokens, versions, numbers, accounts, subscriptions, registration."""

import hashlib
import hmac

import pytest
import requests

from devstack.meta import seed
from tests.support.waiting import eventually

APP_TOKEN = f"{seed.APP_ID}|{seed.APP_SECRET}"


def test_it_seeds_the_same_world_everywhere():
    numbers = [seed.number(index) for index in range(seed.COUNT)]
    assert numbers[0].phone == "+15557654321" and numbers[0].phone_number_id == "106540352242922"
    assert numbers[0].waba_id == "102290129340398" and seed.APP_ID == "634974688087057"
    for name in ("phone", "phone_number_id", "waba_id", "access_token"):
        assert len({getattr(number, name) for number in numbers}) == seed.COUNT
    assert all(n.access_token.startswith("EAA") and n.access_token.isalnum() for n in numbers)
    assert seed.number(3) == numbers[3] and len(seed.APP_SECRET) == len(seed.VERIFY_TOKEN) == 32
    with pytest.raises(IndexError):
        seed.number(10)


def test_it_refuses_unknown_missing_and_foreign_tokens(meta, refused):
    path = f"{meta.number.phone_number_id}/messages"
    body = {"messaging_product": "whatsapp", "to": "+14155552671", "text": {"body": "x"}}
    refused(requests.post(f"{meta.url}/v25.0/{path}", json=body, timeout=5), 104, 401)
    assert "error_data" not in refused(meta.call("POST", path, token="EAAunknown", json=body), 190, 401)
    refused(meta.call("POST", path, token=f"{seed.APP_ID}|wrong", json=body), 190, 401)
    error = refused(meta.call("POST", path, token=seed.number(2).access_token, json=body), 100)
    assert error["error_subcode"] == 33 and error["type"] == "GraphMethodException"
    refused(meta.call("POST", path, token=APP_TOKEN, json=body), 200, 403)
    assert refused(meta.call("POST", "999/messages", json=body), 100)["error_subcode"] == 33
    basic = {"Authorization": "Basic abc"}
    refused(requests.post(f"{meta.url}/v25.0/{path}", json=body, headers=basic, timeout=5), 104, 401)


def test_it_refuses_a_revoked_and_an_expired_token(meta, refused):
    path = f"numbers/{meta.number.phone_number_id}"
    for wish, subcode in (("revoke", 460), ("expire", 463)):
        meta.control("PATCH", path, {"token": wish})
        assert refused(meta.text("+14155552671"), 190, 401)["error_subcode"] == subcode
        checked = meta.call(
            "GET", "debug_token", token=APP_TOKEN, params={"input_token": meta.number.access_token}
        )
        assert checked.json()["data"]["is_valid"] is False
        assert checked.json()["data"]["error"]["code"] == 190
        meta.control("PATCH", path, {"token": "restore"})
        assert meta.text("+14155552671").status_code == 200


def test_it_misses_permissions(meta, refused):
    path = f"numbers/{meta.number.phone_number_id}"
    meta.control("PATCH", path, {"scopes": ["whatsapp_business_management"]})
    refused(meta.text("+14155552671"), 10, 403)
    meta.control("PATCH", path, {"scopes": ["whatsapp_business_messaging"]})
    assert meta.text("+14155552671").status_code == 200
    refused(meta.call("GET", meta.number.phone_number_id), 10, 403)
    refused(meta.call("GET", f"{meta.number.waba_id}/message_templates"), 10, 403)


def test_it_checks_an_appsecret_proof_when_there_is_one(meta, refused):
    proof = hmac.new(seed.APP_SECRET.encode(), meta.number.access_token.encode(), hashlib.sha256).hexdigest()
    path = meta.number.phone_number_id
    assert meta.call("GET", path, params={"appsecret_proof": proof}).status_code == 200
    error = refused(meta.call("GET", path, params={"appsecret_proof": "0" * 64}), 100)
    assert "appsecret_proof" in error["message"]


@pytest.mark.parametrize(
    ("version", "code"), [("v19.0", 2635), ("v27.0", 2635), ("latest", 2500), ("106540352242922", 2500)]
)
def test_it_refuses_other_versions(meta, refused, version, code):
    refused(meta.call("GET", meta.number.phone_number_id, version=version), code)


@pytest.mark.parametrize("number", [20, 23, 26])
def test_it_speaks_every_living_version(meta, number):
    answer = meta.call("GET", meta.number.phone_number_id, version=f"v{number}.0")
    assert answer.headers["facebook-api-version"] == f"v{number}.0"
    assert answer.headers["x-fb-trace-id"].startswith("A") and "call_count" in answer.headers["x-app-usage"]


def test_it_refuses_unknown_paths_and_verbs(meta, refused):
    refused(meta.call("GET", f"{meta.number.phone_number_id}/friends"), 2500)
    assert refused(meta.call("GET", f"{meta.number.phone_number_id}/messages"), 100)["error_subcode"] == 33
    refused(meta.call("GET", ""), 2500)
    refused(meta.call("DELETE", meta.number.waba_id), 100)


def test_it_reads_a_number_by_default_and_by_fields(meta, refused):
    found = meta.call("GET", meta.number.phone_number_id).json()
    assert found["verified_name"] == "Bifrost Books" and found["throughput"] == {"level": "STANDARD"}
    assert found["display_phone_number"] == "+1 555-765-4401" and found["platform_type"] == "CLOUD_API"
    assert found["webhook_configuration"] == {"application": meta.receiver.url}
    asked = "status,health_status,account_mode,whatsapp_business_manager_messaging_limit,quality_rating"
    found = meta.call("GET", meta.number.phone_number_id, params={"fields": asked}).json()
    assert (
        set(found) == {*asked.split(","), "id"} and found["health_status"]["can_send_message"] == "AVAILABLE"
    )
    error = refused(meta.call("GET", meta.number.phone_number_id, params={"fields": "id,colour"}), 100)
    assert "nonexisting field (colour) on node type (WhatsAppBusinessPhoneNumber)" in error["message"]


def test_it_reads_an_account_and_its_numbers(meta, refused):
    assert meta.call("GET", meta.number.waba_id).json()["name"] == "Bifrost Books"
    fields = {"fields": "account_review_status,health_status,currency"}
    assert meta.call("GET", meta.number.waba_id, params=fields).json()["account_review_status"] == "APPROVED"
    refused(meta.call("GET", meta.number.waba_id, params={"fields": "x"}), 100)
    meta.control("POST", "numbers", {"waba_id": meta.number.waba_id}, expect=201)
    rows = meta.call(
        "GET", f"{meta.number.waba_id}/phone_numbers", params={"fields": "id", "limit": 1}
    ).json()
    assert rows["data"][0]["id"] != meta.number.phone_number_id and "next" in rows["paging"]
    rows = requests.get(rows["paging"]["next"], timeout=5).json()
    assert rows["data"] == [{"id": meta.number.phone_number_id}] and "next" not in rows["paging"]


def test_it_inspects_tokens(meta, refused):
    for token in (APP_TOKEN, meta.number.access_token):
        data = meta.call(
            "GET", "debug_token", token=token, params={"input_token": meta.number.access_token}
        ).json()
        assert data["data"]["is_valid"] and data["data"]["app_id"] == seed.APP_ID
        assert "whatsapp_business_messaging" in data["data"]["scopes"] and data["data"]["expires_at"] == 0
    unknown = meta.call("GET", "debug_token", token=APP_TOKEN, params={"input_token": "EAAx"}).json()["data"]
    assert unknown["is_valid"] is False and unknown["error"]["code"] == 190
    other = meta.control("POST", "numbers", {"own_app": True}, expect=201)
    refused(
        meta.call("GET", "debug_token", token=APP_TOKEN, params={"input_token": other["access_token"]}), 100
    )
    refused(meta.call("GET", "debug_token", token=APP_TOKEN), 100)


def test_it_sets_the_callback_of_an_app(meta, refused):
    path = f"{seed.APP_ID}/subscriptions"
    url = meta.receiver.url.replace("/hook", "/set")
    given = {
        "object": "whatsapp_business_account",
        "callback_url": url,
        "verify_token": "v",
        "fields": "messages",
    }
    refused(meta.call("POST", path, data=given), 15)
    refused(meta.call("POST", path, token=APP_TOKEN, data=given), 2200)
    meta.receiver.verifies.add("v")
    assert meta.call("POST", path, token=APP_TOKEN, data=given).json() == {"success": True}
    row = meta.call("GET", path, token=APP_TOKEN).json()["data"][0]
    assert row["callback_url"] == url and row["fields"][0]["name"] == "messages"
    meta.writes("14155552671", text="x")
    assert eventually(lambda: meta.receiver.posts)[0].path == "/set"
    assert meta.call("DELETE", path, token=APP_TOKEN).json() == {"success": True}
    assert meta.call("GET", path, token=APP_TOKEN).json() == {"data": []}
    refused(meta.call("GET", path, token=f"{seed.APP_ID}|x"), 190, 401)


def test_it_registers_and_deregisters(meta, refused):
    path = meta.number.phone_number_id
    assert meta.call("POST", f"{path}/deregister").json() == {"success": True}
    refused(meta.text("+14155552671"), 133010)
    assert meta.call("GET", path).json()["platform_type"] == "NOT_APPLICABLE"
    health = meta.call("GET", path, params={"fields": "health_status"}).json()["health_status"]
    assert health["can_send_message"] == "BLOCKED"
    refused(meta.call("POST", f"{path}/register", json={"messaging_product": "whatsapp", "pin": "1"}), 100)
    good = {"messaging_product": "whatsapp", "pin": "123456"}
    assert meta.call("POST", f"{path}/register", json=good).json() == {"success": True}
    assert meta.text("+14155552671").status_code == 200
    for _ in range(8):
        meta.call("POST", f"{path}/register", json=good)
    refused(meta.call("POST", f"{path}/register", json=good), 133016)


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"status": "BANNED"}, 131031, 403),
        ({"status": "RATE_LIMITED"}, 131048, 400),
        ({"status": "OFFLINE"}, 131016, 500),
        ({"status": "MAINTENANCE"}, 131057, 500),
        ({"name_status": "DECLINED"}, 131037, 400),
        ({"account_mode": "SANDBOX"}, 131030, 400),
    ],
)
def test_it_refuses_when_the_number_cannot_send(meta, refused, change, code, status):
    meta.control("PATCH", f"numbers/{meta.number.phone_number_id}", change)
    refused(meta.text("+14155552671"), code, status)


def test_it_lets_a_test_number_reach_allowed_recipients(meta):
    change = {"account_mode": "SANDBOX", "allowed_recipients": ["+14155552671"]}
    meta.control("PATCH", f"numbers/{meta.number.phone_number_id}", change)
    assert meta.text("+14155552671").status_code == 200


def test_it_tells_of_quality_and_throughput(meta):
    path = f"numbers/{meta.number.phone_number_id}"
    meta.control("PATCH", path, {"quality_rating": "RED"})
    eventually(lambda: meta.receiver.values("phone_number_quality_update"))
    meta.control("PATCH", path, {"throughput_level": "HIGH"})
    values = eventually(
        lambda: len(found := meta.receiver.values("phone_number_quality_update")) == 2 and found
    )
    assert [value["event"] for value in values] == ["FLAGGED", "THROUGHPUT_UPGRADE"]
    assert meta.call("GET", meta.number.phone_number_id).json()["throughput"] == {"level": "HIGH"}
