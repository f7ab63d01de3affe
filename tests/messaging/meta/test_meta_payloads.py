"""Bodies of the send call are what Meta documents."""

from __future__ import annotations

import copy
import json
import uuid

import pytest

from messaging.meta.payloads import REF_LIMIT, build, encode, read_ref, ref_for
from tests.support.examples import sends

TEXT = {"type": "text", "text": {"body": "hi"}}
MESSAGE_ID = uuid.UUID("018f3a60-7c1e-7b1a-9d55-0123456789ab")


def test_it_builds_the_envelope_of_a_text():
    assert build(to="16505551234", content=TEXT, ref="hm:1") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+16505551234",
        "type": "text",
        "text": {"body": "hi"},
        "biz_opaque_callback_data": "hm:1",
    }


@pytest.mark.parametrize("user_id", ["US.13491208655302741918", "US.ENT.11815799212886844830", "DE.aB9"])
def test_it_addresses_a_user_id_by_recipient_and_not_by_to(user_id):
    body = build(to=user_id, content=TEXT, ref="r")
    assert body["recipient"] == user_id
    assert "to" not in body


@pytest.mark.parametrize(
    "to", ["", "+16505551234", "1650 5551234", "0123456", "12", "٤١٥٥٥٥", "us.123", "US.", "US.a/b", "1" * 21]
)
def test_it_refuses_a_recipient_meta_could_not_take(to):
    with pytest.raises(ValueError, match="recipient must be"):
        build(to=to, content=TEXT, ref="r")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"type": "text"},
        {"type": "text", "text": "hi"},
        {"type": 3, "3": {}},
        {"type": "to", "to": {}},
        {"type": "context", "context": {"message_id": "x"}},
        {"type": "a b", "a b": {}},
    ],
)
def test_it_refuses_content_without_its_object(content):
    with pytest.raises(ValueError, match="content"):
        build(to="16505551234", content=content, ref="r")


@pytest.mark.parametrize("ref", ["", "x" * (REF_LIMIT + 1)])
def test_it_refuses_a_ref_meta_would_not_echo(ref):
    with pytest.raises(ValueError, match="ref"):
        build(to="16505551234", content=TEXT, ref=ref)
    assert build(to="16505551234", content=TEXT, ref="x" * REF_LIMIT)


@pytest.mark.parametrize(
    ("language", "sent"),
    [
        ("en_US", {"code": "en_US"}),
        ({"code": "en_US"}, {"code": "en_US"}),
        (
            {"code": "de", "policy": "deterministic"},
            {"code": "de", "policy": "deterministic"},
        ),
    ],
)
def test_it_writes_a_language_the_way_meta_wants_it(language, sent):
    content = {"type": "template", "template": {"name": "t", "language": language}}
    assert build(to="16505551234", content=content, ref="r")["template"]["language"] == sent


BODY = {"type": "body", "parameters": [{"type": "text", "text": "x"}]}


@pytest.mark.parametrize(
    ("components", "sent"),
    [
        ([], None),
        (None, None),
        ([{"type": "body", "parameters": []}], None),
        ([{"type": "header"}, BODY], [BODY]),
        (
            [{"type": "carousel", "cards": [{"card_index": 0}]}],
            [{"type": "carousel", "cards": [{"card_index": 0}]}],
        ),
    ],
)
def test_it_leaves_out_components_that_fill_nothing(components, sent):
    content = {"type": "template", "template": {"name": "t", "language": "en", "components": components}}
    assert build(to="16505551234", content=content, ref="r")["template"].get("components") == sent


def test_it_keeps_only_the_quoted_message_of_a_context():
    content = {**TEXT, "context": {"message_id": "wamid.A", "from": "me"}}
    assert build(to="16505551234", content=content, ref="r")["context"] == {"message_id": "wamid.A"}
    assert "context" not in build(to="16505551234", content={**TEXT, "context": {}}, ref="r")


def test_it_passes_the_identity_hash_on():
    content = {**TEXT, "recipient_identity_key_hash": "DF2l="}
    assert build(to="16505551234", content=content, ref="r")["recipient_identity_key_hash"] == "DF2l="


def test_it_does_not_change_the_stored_content():
    content = {
        "type": "template",
        "template": {"name": "t", "language": "en", "components": [{"type": "body"}]},
    }
    before = copy.deepcopy(content)
    build(to="16505551234", content=content, ref="r")
    assert content == before


def test_it_rebuilds_a_message_of_every_kind():
    rebuilt = 0
    for name, example in sends().items():
        if "status" in example:
            continue  # a read receipt is no message
        kind = example.get("type") or ("text" if "text" in example else "interactive")
        content = {"type": kind, kind: example[kind], **{k: example[k] for k in ("context",) if k in example}}
        if kind == "template":
            content["template"] = {**example["template"], "language": example["template"]["language"]["code"]}
        body = build(to="16505551234", content=content, ref=ref_for(MESSAGE_ID))
        wanted = {**example, "to": "+16505551234", "type": kind, "recipient_type": "individual"}
        wanted["biz_opaque_callback_data"] = ref_for(MESSAGE_ID)
        if kind == "template":
            wanted["template"] = {
                **example["template"],
                "language": {"code": example["template"]["language"]["code"]},
            }
        assert json.loads(encode(body)) == wanted, name
        rebuilt += 1
    assert rebuilt > 40


def test_a_ref_leads_back_to_its_message():
    assert read_ref(ref_for(MESSAGE_ID)) == (MESSAGE_ID, 0)
    assert read_ref(ref_for(MESSAGE_ID, 3)) == (MESSAGE_ID, 3)
    assert ref_for(MESSAGE_ID) == f"hm:{MESSAGE_ID}"


@pytest.mark.parametrize(
    "ref",
    [
        None,
        "",
        "hm:",
        str(MESSAGE_ID),
        f"gw:{MESSAGE_ID}",
        f"hm:{MESSAGE_ID} ",
        f"hm:{MESSAGE_ID}\n",
        f"hm:{str(MESSAGE_ID).upper()}",
        f"hm:{MESSAGE_ID.hex}",
        f"hm:{{{MESSAGE_ID}}}",
        f"HM:{MESSAGE_ID}",
        "hm:not-a-uuid",
        7,
    ],
)
def test_a_foreign_ref_leads_nowhere(ref):
    assert read_ref(ref) is None


def test_it_encodes_utf8_without_escapes():
    assert encode({"body": "ä😀"}) == '{"body":"ä😀"}'.encode()
