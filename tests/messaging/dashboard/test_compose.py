"""Sending from the dashboard: the template's own fields, the preview, the schedule, a table of many."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from core.errors import Invalid
from messaging.compose import approved
from messaging.dashboard import sheets
from messaging.message_templates import manage as template_management
from messaging.message_templates import writing as template_writing
from messaging.models import Batch, Contact, Message, Status, Suppression, Template
from tests import factories
from tests.dashboard import data
from tests.support.meta import all_callbacks
from tests.support.people import join, make_owned, signed_in

pytestmark = pytest.mark.django_db

WABA = "102290129340398"
SHIPPED = [
    {"type": "HEADER", "format": "TEXT", "text": "Order {{order}}"},
    {
        "type": "BODY",
        "text": "Hi {{name}}, it ships {{day}}.",
        "example": {"body_text_named_params": [{"param_name": "name", "example": "Sara"}]},
    },
    {"type": "FOOTER", "text": "Bifrost Books"},
    {
        "type": "BUTTONS",
        "buttons": [
            {"type": "URL", "text": "Track", "url": "https://example.com/t/{{1}}"},
            {"type": "QUICK_REPLY", "text": "Stop"},
        ],
    },
]
VALUES = {"header.order": "#7", "body.name": "Sara", "body.day": "today", "button.0": "A1"}


def make_template(number, name="order_shipped", components=None, **more) -> Template:
    """Store an approved template."""
    return Template.objects.create(
        **{
            "account": number.account,
            "waba_id": WABA,
            "meta_id": str(Template.objects.count() + 1),
            "name": name,
            "language": "en_US",
            "status": "APPROVED",
            "category": "UTILITY",
            "parameter_format": "NAMED",
            "components": components or SHIPPED,
            "synced_at": timezone.now(),
        }
        | more
    )


@pytest.fixture
def alice(db):
    return make_owned("Alice")


@pytest.fixture
def number(alice):
    return factories.connect(alice, waba_id=WABA)


@pytest.fixture
def template(number):
    return make_template(number)


@pytest.fixture
def client(alice):
    return signed_in(alice)


def text_of(answer, status: int = 200) -> str:
    """Return a page's text."""
    assert answer.status_code == status, answer.content[:400]
    return answer.content.decode()


# --- one message


def test_the_form_asks_for_what_the_template_asks_for(client, number, template):
    text = text_of(client.get(f"/app/compose?template={template.pk}&to=14155550100"))
    for key in VALUES:
        assert f'name="{key}"' in text, key
    assert 'placeholder="Sara"' in text, "the example that was given for approval"
    assert "https://example.com/t/…" in text
    assert 'value="+14155550100"' in text
    assert 'name="text"' not in text


def test_the_preview_shows_the_filled_message_and_marks_the_gaps(client, number, template):
    given = {"number": number.pk, "template": template.pk, "body.name": "<b>Sara</b>"}
    text = text_of(client.post("/app/compose/preview", given))
    assert "Hi &lt;b&gt;Sara&lt;/b&gt;, it ships" in text
    assert '<mark class="gap">{{day}}</mark>' in text
    assert "Bifrost Books" in text and "Track" in text
    assert "needs a value for {{day}}" in text
    assert "<html" not in text


@pytest.mark.parametrize(
    ("wrote", "said"),
    [
        (None, "has not written"),
        (timedelta(hours=25), "more than 24 hours"),
        (timedelta(hours=1), "gets through"),
    ],
)
def test_the_preview_of_a_text_knows_the_window(client, number, wrote, said):
    if wrote is not None:
        data.make_talk(number, data.make_contact(number), ago=wrote)
    given = {"number": number.pk, "kind": "text", "to": "+1 415 555 0100", "text": "Hello"}
    assert said in text_of(client.post("/app/compose/preview", given))


def test_a_filled_template_is_queued_as_the_api_would_queue_it(client, alice, number, template):
    given = {"number": number.pk, "template": template.pk, "to": "+1 (415) 555-0100", **VALUES}
    answer = client.post("/app/compose", given)
    message = Message.objects.get(account=alice)
    assert answer["Location"] == f"/app/messages/{message.pk}"
    assert (message.source, message.status, message.recipient) == ("dashboard", Status.QUEUED, "14155550100")
    assert message.connection == number
    kinds = [part["type"] for part in message.content["template"]["components"]]
    assert kinds == ["header", "body", "button", "button"]
    assert message.body == "Hi Sara, it ships today."


def test_pressing_send_twice_sends_once(client, alice, number, template):
    given = {"number": number.pk, "template": template.pk, "to": "14155550100", "token": "a" * 32, **VALUES}
    first, second = (client.post("/app/compose", given)["Location"] for _ in range(2))
    assert first == second
    assert Message.objects.filter(account=alice).count() == 1


def test_what_the_check_finds_stands_at_its_field(client, alice, number, template):
    given = {"number": number.pk, "template": template.pk, "to": "call me", **VALUES}
    del given["body.day"], given["button.0"]
    given["body.name"] = "Sara\tCohen"
    text = text_of(client.post("/app/compose", given), 400)
    for key, words in (
        ("to", "country code"),
        ("body.day", "required"),
        ("button.0", "required"),
        ("body.name", "line breaks"),
    ):
        fault = text.partition(f'id="id_{key}_error"')[2].partition("</ul>")[0]
        assert words in fault.replace("&#x27;", "'"), key
    assert not Message.objects.exists()


def test_a_message_is_scheduled_in_the_readers_time_zone_or_only_tried(client, alice, number, template):
    alice.owner = alice.memberships.get().user
    alice.owner.timezone = "Asia/Riyadh"
    alice.owner.save()
    at = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    local = (at + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M")
    given = {"number": number.pk, "template": template.pk, "to": "14155550100", **VALUES}
    client.post("/app/compose", given | {"send_at": local, "dry_run": "on"})
    message = Message.objects.get(account=alice)
    assert (message.status, message.scheduled_for, message.dry_run) == (Status.SCHEDULED, at, True)
    past = client.post("/app/compose", given | {"send_at": "2020-01-01T00:00"})
    assert "This moment has passed" in text_of(past, 400)


def test_a_text_is_queued_and_an_empty_one_is_not(client, alice, number):
    given = {"number": number.pk, "kind": "text", "to": "14155550100"}
    assert "Write something" in text_of(client.post("/app/compose", given | {"text": "  "}), 400)
    client.post("/app/compose", given | {"text": "Hello"})
    assert Message.objects.get(account=alice).content == {"type": "text", "text": {"body": "Hello"}}


def test_somebody_on_the_suppression_list_gets_nothing(client, alice, number):
    Suppression.objects.create(account=alice, phone="14155550100", reason="manual")
    given = {"number": number.pk, "kind": "text", "to": "14155550100", "text": "Hello"}
    assert "suppression list" in text_of(client.post("/app/compose", given), 400)


def test_a_template_with_cards_is_left_to_the_api(client, number):
    cards = [{"type": "BODY", "text": "Look"}, {"type": "CAROUSEL", "cards": [{"components": []}]}]
    template = make_template(number, "plants", cards)
    given = {"number": number.pk, "template": template.pk, "to": "14155550100"}
    assert "only a program can give" in text_of(client.post("/app/compose", given), 400)


def test_a_foreign_number_or_template_is_never_chosen(client, number):
    charlie = make_owned("Charlie")
    theirs = make_template(factories.connect(charlie, waba_id=WABA), "secret_offer")
    given = {"number": theirs.account.connections.get().pk, "template": theirs.pk, "to": "14155550100"}
    for answer in (
        client.get("/app/compose", given),
        client.post("/app/compose", given),
        client.post("/app/compose/preview", given),
        client.get("/app/compose/sample.csv", given),
        client.post("/app/compose/many", given | {"sheet": "to\n14155550100"}),
        client.get("/app/templates"),
    ):
        assert b"secret_offer" not in answer.content
    assert client.get(f"/app/templates/{theirs.pk}").status_code == 404
    assert not Message.objects.exists()


# --- templates


def test_each_template_is_shown_as_it_was_approved(client, number, template):
    make_template(number, "old_promo", status="REJECTED", rejected_reason="PROMOTIONAL")
    text = text_of(client.get("/app/templates"))
    for words in ("order_shipped", "Hi Sara, it ships", "Track", "old_promo", "PROMOTIONAL", "Rejected"):
        assert words in text, words
    assert "old_promo" not in text_of(client.get("/app/templates?status=approved"))
    one = text_of(client.get(f"/app/templates/{template.pk}"))
    assert "As Meta stores it" in one and "header_handle" not in one


def test_a_template_is_written_with_its_examples_and_handed_in(meta, alice):
    number = meta.connect(alice)
    client = signed_in(alice)
    given = {
        "number": number.pk,
        "name": "parcel_ready",
        "language": "en",
        "category": "UTILITY",
        "header": "Parcel {{parcel}}",
        "body": "Hi {{name}}, it is ready.",
        "label_0": "Track",
        "address_0": "https://example.com/t/{{1}}",
        "label_1": "Thanks",
    }
    shown = text_of(client.post("/app/templates/new/preview", given))
    for gap in ("example.parcel", "example.name", "example.button.0"):
        assert f'name="{gap}"' in shown, gap
    assert "example of every gap" in text_of(client.post("/app/templates/new", given), 400)
    examples = {"example.parcel": "7", "example.name": "Sara", "example.button.0": "A1"}
    answer = client.post("/app/templates/new", given | examples)
    made = Template.objects.get(account=alice, name="parcel_ready")
    assert answer["Location"] == f"/app/templates/{made.pk}"
    kinds = {part["type"]: part for part in made.components}
    assert kinds["BODY"]["example"] == {"body_text_named_params": [{"param_name": "name", "example": "Sara"}]}
    assert [one["type"] for one in kinds["BUTTONS"]["buttons"]] == ["URL", "QUICK_REPLY"]
    client.post(f"/app/templates/{made.pk}/delete")
    assert not Template.objects.filter(pk=made.pk).exclude(status="DELETED").exists()


def test_an_approved_template_is_changed_with_what_it_said_and_goes_back_to_review(meta, alice):
    number = meta.connect(alice)
    client = signed_in(alice)
    words = template_writing.Written(
        "Hi {{1}}, order {{2}}.", footer="Bye", buttons=[("Track", "https://e.x/{{1}}")]
    )
    examples = {"1": "Sara", "2": "7", "button.0": "A1"}
    made = template_management.create(
        number,
        name="parcel_gone",
        language="en",
        category="UTILITY",
        components=template_writing.components(words, examples),
    )
    page = f"/app/templates/{made.pk}"
    assert f"{page}/change" not in text_of(client.get(page)), "it is being reviewed"
    assert "changed elsewhere" in text_of(client.get(f"{page}/change"))
    all_callbacks(meta)  # Meta approves it
    assert f"{page}/change" in text_of(client.get(page))
    form = text_of(client.get(f"{page}/change"))
    for there in ("Hi {{1}}, order {{2}}.", 'value="Bye"', 'value="Track"', 'value="Sara"', 'value="A1"'):
        assert there in form, there
    assert 'name="category"' not in form and 'name="name"' not in form
    given = {"body": "Hello {{1}}, order {{2}}!", "footer": "Bye", "label_0": "Thanks"}
    assert "example of every gap" in text_of(client.post(f"{page}/change", given), 400)
    answer = client.post(f"{page}/change", given | {"example.1": "Sara", "example.2": "7"})
    assert answer.status_code == 302 and answer["Location"] == page
    made.refresh_from_db()
    assert made.status == "PENDING"
    assert template_writing.read_back(made.components) == (
        template_writing.Written("Hello {{1}}, order {{2}}!", "", "Bye", [("Thanks", "")]),
        {"1": "Sara", "2": "7"},
    )
    assert alice.audit_events.filter(action="template.changed").exists()


def test_what_the_form_cannot_hold_is_not_read_into_it(template):
    read = template_writing.read_back
    words = template_writing.Written(
        "{{b}} and {{a}}", "To {{a}}", "End", [("Go", "https://e.x/{{1}}"), ("No", "")]
    )
    examples = {"a": "1", "b": "2", "button.0": "x"}
    assert read(template_writing.components(words, examples)) == (words, examples)
    body = {"type": "BODY", "text": "Hi"}
    for foreign in (
        {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4:x"]}},
        {"type": "CAROUSEL", "cards": []},
        {"type": "BODY", "text": "Hi", "add_security_recommendation": True},
        {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE", "example": "A"}]},
        {"type": "BUTTONS", "buttons": [{"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+1"}]},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": str(n)} for n in range(4)]},
        "nonsense",
    ):
        assert read([body, foreign]) is None, foreign
    assert read([]) is None and read("nonsense") is None
    assert read([body | {"example": {"body_text": [7]}}]) == (template_writing.Written("Hi", buttons=[]), {})


def test_a_member_sends_but_changes_no_templates(alice, number, template):
    client = signed_in(join(alice, "member", "mo@example.com"))
    assert client.get("/app/compose").status_code == 200
    assert "New template" not in text_of(client.get("/app/templates"))
    for path in (
        "/app/templates/new",
        f"/app/templates/{template.pk}/delete",
        f"/app/templates/{template.pk}/change",
    ):
        assert client.post(path).status_code == 403, path


# --- conversations


def test_api_dashboard_and_inbound_share_one_thread(client, alice, number):
    factories.api(alice).post_json("/send-message", {"to": "14155550100", "message": "from the API"})
    contact = Contact.objects.get(account=alice)
    data.make_talk(number, contact, wrote="their answer")
    page = f"/app/conversations/{contact.pk}"
    assert client.post(page, {"body": "from the dashboard"})["Location"] == f"{page}#last"
    text = text_of(client.get(page))
    places = [text.index(words) for words in ("from the API", "their answer", "from the dashboard")]
    assert places == sorted(places)
    assert Contact.objects.count() == 1


def test_a_reply_needs_an_open_window(client, number):
    contact = data.make_contact(number)
    data.make_talk(number, contact, ago=timedelta(hours=24, seconds=1))
    page = f"/app/conversations/{contact.pk}"
    assert "window closed" in text_of(client.get(page))
    assert "window is closed" in text_of(client.post(page, {"body": "Hello?"}), 400)
    assert not Message.objects.filter(direction="out").exists()
    Contact.objects.filter(pk=contact.pk).update(last_inbound_at=timezone.now() - timedelta(hours=23))
    assert "Free text gets through for another 60 min" in text_of(client.get(page))


# --- many


def test_a_table_is_checked_row_by_row_and_only_then_sent(client, alice, number, template):
    sheet = (
        "\ufeffTo;name;day;header_order;button_1;colour\r\n"
        "+1 415 555 0100;Sara;today;#1;A1;red\r\n"
        "4.15555E+10;Omar;today;#2;A2;\r\n"
        "14155550102;;today;#3;A3;\r\n"
        "14155550100;Sara;today;#1;A1;\r\n"
        '14155550104;"<script>pwned()</script>";today;#5;A5;\r\n'
    )
    given = {"number": number.pk, "template": template.pk}
    upload = SimpleUploadedFile("people.csv", sheet.encode())
    text = text_of(client.post("/app/compose/many", given | {"file": upload}))
    assert "3 rows need mending" in text
    for words in ("cut this number short", "needs a value for {{name}}", "stands in line 2", "“colour”"):
        assert words in text, words
    assert "&lt;script&gt;pwned" in text and "<script>pwned" not in text
    assert "Send 2 messages" in text
    assert not Message.objects.exists(), "nothing is sent by a check"
    again = given | {"sheet": sheet, "go": "1", "token": "b" * 32}
    assert "3 rows need mending" in text_of(client.post("/app/compose/many", again)), "not without saying so"
    sent = [client.post("/app/compose/many", again | {"skip": "on"})["Location"] for _ in range(2)]
    batch = Batch.objects.get(account=alice)
    assert sent == [f"/app/batches/{batch.pk}"] * 2
    assert sorted(batch.messages.values_list("recipient", flat=True)) == ["14155550100", "14155550104"]
    assert "of 2" in text_of(client.get(sent[0])) or "0 / 2" in text_of(client.get(sent[0]))


def test_the_example_table_has_the_columns_of_the_template(client, number, template):
    text = text_of(client.get(f"/app/compose/sample.csv?number={number.pk}&template={template.pk}"))
    assert text.splitlines()[0] == "\ufeffto,header_order,name,day,button_1,button_2"
    parts = approved.read(template.components, template.parameter_format)
    report = sheets.check(sheets.read(text, most=5), template, parts)
    assert report.good and not report.unused


def test_a_plan_without_bulk_sends_to_nobody(alice, number, client):
    alice.plan = "free"
    alice.save()
    assert "Not part of the free plan" in text_of(client.get("/app/compose/many"))
    given = {"number": number.pk, "kind": "text", "sheet": "to,message\n14155550100,Hi", "go": "1"}
    assert "Not part of the free plan" in text_of(client.post("/app/compose/many", given), 400)
    assert not Message.objects.exists()


BAD_TABLES = [
    (b"", "line of headings"),
    (b"to\n", "line of headings"),
    (b"name\nSara", "must be called to"),
    (b"to,to\n1,2", "same heading"),
    (b"to\n" + b"1\n" * 7, "more than 5 rows"),
    (b"\x00\x01\x02", "no text file"),
    (b"to,message\n" + b"x" * 5_000_000, "larger than"),
    (b'to,message\n"1', "line of headings"),
]


@pytest.mark.parametrize(("raw", "said"), BAD_TABLES[:-1])
def test_a_table_that_cannot_be_read_says_why(raw, said):
    with pytest.raises(Invalid) as refused:
        sheets.read(sheets.decoded(raw), most=5)
    assert said in refused.value.fields[0].message


@pytest.mark.parametrize("encoding", ["cp1256", "cp1252", "shift_jis", "mac_roman", "koi8_r"])
def test_an_old_encoding_is_asked_about_and_not_guessed(encoding):
    word = {"cp1256": "مرحبا", "shift_jis": "こんにちは", "koi8_r": "привет"}.get(encoding, "é")
    with pytest.raises(Invalid) as refused:
        sheets.decoded(f"to,name\n14155550100,{word}\n".encode(encoding))
    assert "neither UTF-8 nor UTF-16" in refused.value.fields[0].message


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "sep=;;;\n"])
def test_the_line_that_names_the_separator_is_for_excel_alone(line, mark):
    sheet = sheets.read(f"{mark}{line}to;name\n14155550100;A,B\n", most=5)
    assert (sheet.columns, sheet.rows) == (["to", "name"], [(3, ["14155550100", "A,B"])])


def test_tables_of_every_spreadsheet_are_read():
    for text in ("to,message\n1,é", "to;message\r\n1;é", "to\tmessage\n1\té\n\n"):
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            sheet = sheets.read(sheets.decoded(text.encode(encoding)), most=5)
            assert sheet.columns == ["to", "message"] and sheet.rows == [(2, ["1", "é"])], encoding
