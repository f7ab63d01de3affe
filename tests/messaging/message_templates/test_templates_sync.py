"""Templates here are what Meta has: read on connecting, every half hour, by name and through Meta's news."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account, Number
from core.jobs import shutdown
from devstack.meta.routes import templates as routes_templates
from messaging.compose.drafts import ButtonValue, Draft, FilledTemplate
from messaging.message_templates import news as template_news
from messaging.message_templates import samples as template_samples
from messaging.message_templates import store as template_store
from messaging.message_templates.named_values import fill_all
from messaging.meta import template_graph
from messaging.meta.callbacks import parse
from messaging.meta.graph import GraphError, GraphUnreachable
from messaging.models import HeaderSample, Message, Template, TemplateEvent, TemplateSync
from messaging.numbers import verification
from messaging.queue.accept import Origin
from tests import factories
from tests.support.meta import (
    all_callbacks,
    apply_callbacks,
    drain,
    envelope,
    know_template,
    post,
    queue,
    row,
)
from webhooks.models import Event
from webhooks.outgoing import catalogue, outbox


def of_meta(meta, number, name):
    """Return a template as the sandbox has it."""
    listed = meta.world.wabas[number.waba_id].templates.values()
    return next(one for one in listed if one.name == name)


def twin(original, name, ident):
    """Return another template like ``original``."""
    values = {slot: getattr(original, slot) for slot in original.__slots__}
    return type(original)(**values | {"name": name, "id": ident})


def requests_to(meta):
    return meta.world.stats["requests"]


def named(number, name, language="en_US"):
    return template_store.find(number.account_id, number.waba_id, [(name, language)]).get((name, language))


def test_a_sync_stores_every_template_whole_page_by_page(meta, number):
    waba = meta.world.wabas[number.waba_id]
    for count in range(230):  # three pages
        made = of_meta(meta, number, "hello_world")
        copy = type(made)(
            **{name: getattr(made, name) for name in made.__slots__} | {"name": f"copy_{count}"}
        )
        copy.id = f"9{count:015d}"
        meta.sandbox.run(waba.add, copy)
    assert template_store.sync(number) == Template.objects.count() == len(waba.templates)
    rejected = named(number, "rejected_promo")
    assert (rejected.status, rejected.rejected_reason, rejected.quality) == ("REJECTED", "SCAM", "GREEN")
    assert rejected.raw["id"] == rejected.meta_id
    assert named(number, "order_shipped", "en").parameter_format == "NAMED"
    assert TemplateSync.objects.get().synced_at


def test_a_second_sync_follows_changes_keeps_ids_and_deletes_what_is_gone(meta, number):
    template_store.sync(number)
    known = named(number, "hello_world")
    changed = of_meta(meta, number, "hello_world")
    changed.status, changed.category = "PAUSED", "MARKETING"
    meta.sandbox.run(meta.world.wabas[number.waba_id].remove, of_meta(meta, number, "order_ready"))
    template_store.sync(number)
    again = named(number, "hello_world")
    assert (again.pk, again.status, again.category) == (known.pk, "PAUSED", "MARKETING")
    assert named(number, "order_ready") is None
    seen = TemplateEvent.objects.filter(template=again).values_list("field", "before", "after")
    assert set(seen) == {("status", "APPROVED", "PAUSED"), ("category", "UTILITY", "MARKETING")}


def test_a_sync_that_fails_changes_nothing_and_is_tried_again(meta, number):
    template_store.sync(number)
    count = Template.objects.count()
    meta.revoke(number)
    with pytest.raises(GraphError):
        template_store.sync(number)
    template_store.want(number.account_id, number.waba_id)
    assert template_store.sync_due() == 1
    state = TemplateSync.objects.get()
    assert state.error and timedelta(0) < state.due_at - timezone.now() <= template_store.AFTER_FAILURE
    assert Template.objects.count() == count


def test_a_number_that_is_connected_is_read_and_again_after_half_an_hour(meta, number, charlie):
    meta.connect(charlie, 2)
    assert template_store.sync_due() == 2
    assert Template.objects.filter(account=charlie).exists() and named(number, "hello_world")
    assert template_store.sync_due() == 0
    TemplateSync.objects.filter(account=charlie).update(due_at=timezone.now())
    assert template_store.sync_due() == 1
    assert timedelta(minutes=30) == template_store.EVERY
    state = TemplateSync.objects.get(account=charlie)
    assert template_store.EVERY - (state.due_at - timezone.now()) < timedelta(minutes=1)


def test_checking_a_number_lets_its_templates_be_read_again(meta, number):
    template_store.sync_due()
    number.refresh_from_db()
    assert verification.verify(number).verified
    assert template_store.sync_due() == 1


def test_readings_stop_after_their_time_and_never_run_twice_in_a_process(meta, number, charlie):
    meta.connect(charlie, 2)
    assert template_store.sync_due(seconds=0) == 0
    with template_store._reading:
        assert template_store.sync_due() == 0
    shutdown.asked.set()
    assert template_store.sync_due() == 0
    shutdown.asked.clear()
    assert template_store.sync_due() == 2


def test_accounts_without_a_usable_number_cost_no_call(meta, number):
    template_store.sync_due()
    TemplateSync.objects.update(due_at=timezone.now())
    Number.objects.filter(pk=number.pk).update(status=Number.Status.HELD)
    before = requests_to(meta)
    template_store.sync_due()
    assert "credentials" in TemplateSync.objects.get().error
    Account.objects.filter(pk=number.account_id).update(is_active=False)
    Number.objects.filter(pk=number.pk).update(status=Number.Status.ACTIVE)
    TemplateSync.objects.update(due_at=timezone.now())
    template_store.sync_due()
    assert Template.objects.exists() and requests_to(meta) == before
    Number.objects.filter(pk=number.pk).update(removed_at=timezone.now())
    TemplateSync.objects.update(due_at=timezone.now())
    template_store.sync_due()
    assert not TemplateSync.objects.exists() and requests_to(meta) == before
    assert not Template.objects.exists()  # nobody can send them any more


def test_a_template_that_meta_refuses_is_read_again_once_a_minute(meta, number):
    template_store.sync_due()
    of_meta(meta, number, "hello_world").status = "PAUSED"  # and its callback was lost
    queue(number.account)
    drain()
    assert template_store.sync_due() == 0  # read a moment ago
    TemplateSync.objects.update(synced_at=timezone.now() - template_store.DOUBT_AFTER)
    queue(number.account)
    drain()
    assert template_store.sync_due() == 1 and named(number, "hello_world").status == "PAUSED"


# --- an unknown name


def origin(number):
    return Origin(Message.Source.CLASSIC, number.account, number=number)


def filled(name="order_ready", **values):
    return FilledTemplate(name, "en_US", **values)


def test_an_unknown_name_is_asked_for_once_and_then_known(meta, number):
    draft = Draft(to="14155550100", what=filled(parameters={"1": "Sara", "2": "7"}))
    made = fill_all(origin(number), [draft])[0].what
    assert Template.objects.get().name == "order_ready"  # and not all the others
    assert made.text == "Hi Sara, your order 7 is ready!" and made.components[0]["type"] == "body"


def test_names_that_do_not_exist_do_not_make_us_hammer_meta(meta, number):
    before = requests_to(meta)
    for name in ("nothing_1", "nothing_1", "nothing_2", "nothing_3"):
        template_store.ask_for(number, name)
    assert requests_to(meta) == before + 1
    TemplateSync.objects.update(asked_at=timezone.now() - template_store.ASK_EVERY)
    assert not template_store.ask_for(number, "nothing_1")  # within its minute
    assert template_store.ask_for(number, "nothing_4")
    assert requests_to(meta) == before + 2


def test_a_template_that_stays_unknown_is_sent_as_it_looks(meta, number):
    template_store.ask_for(number, "another")  # so that no other name is asked for now
    message = queue(number.account, what=FilledTemplate("order_ready", "en_US", {"1": "Sara", "2": "7"}))
    drain()
    assert row(message).status in ("sent", "delivered", "read") and row(message).body is None


@pytest.mark.parametrize("trouble", ["revoked", "held", "no account id"])
def test_asking_for_a_name_never_fails(meta, number, trouble):
    if trouble == "revoked":
        meta.revoke(number)
    elif trouble == "held":
        number.status = Number.Status.HELD
    else:
        number.waba_id = ""
    template_store.ask_for(number, "order_ready")
    assert not Template.objects.exists()


# --- the sample of a media header


def test_a_samples_file_is_uploaded_once_and_then_sent_by_its_id(meta, number):
    template_store.sync(number)
    draft = Draft(to="14155550100", what=filled("invoice_document", parameters={"1": "Sara"}))
    before = requests_to(meta)
    for _ in range(2):
        fill_all(origin(number), [draft])
    assert requests_to(meta) == before + 2  # its address anew and the upload, once
    sample = HeaderSample.objects.get()
    assert meta.world.media[sample.media_id].content.startswith(b"%PDF")
    message = queue(number.account, what=draft.what)
    header = message.content["template"]["components"][0]
    assert header["parameters"] == [{"type": "document", "document": {"id": sample.media_id}}]
    assert message.body == "Dear Sara, please find your invoice attached."
    drain()
    assert row(message).status in ("sent", "delivered", "read")
    HeaderSample.objects.update(uploaded_at=timezone.now() - template_samples.KEPT)
    again = fill_all(origin(number), [draft])[0].what
    assert set(again.components[0]["parameters"][0]["document"]) == {"link"}


def test_a_sample_that_cannot_be_uploaded_is_sent_by_its_address_and_tried_once_a_minute(meta, number):
    template_store.sync(number)
    meta.revoke(number)
    before = requests_to(meta)
    template = named(number, "product_photo")
    for _ in range(3):
        template_samples.ensure(number, template)
    assert requests_to(meta) == before + 1 and not HeaderSample.objects.exists()
    address = template.components[0]["example"]["header_handle"][0]
    tap = ButtonValue(0, quick_reply_payload="p")
    what = filled("product_photo", parameters={"1": "x"}, buttons=(tap,))
    made = fill_all(origin(number), [Draft(to="14155550100", what=what)])[0].what
    assert made.components[0]["parameters"] == [{"type": "image", "image": {"link": address}}]


def test_a_sample_that_is_too_large_or_gone_is_left_where_it_is(meta, number, monkeypatch):
    template_store.sync(number)
    template = named(number, "product_photo")
    monkeypatch.setattr(template_graph, "SAMPLE_LIMIT", 10)
    template_samples.ensure(number, template)
    assert not HeaderSample.objects.exists()
    with template_store.graph_for(number) as graph, pytest.raises(GraphUnreachable, match="403"):
        graph.fetch_sample(meta.sandbox.url + "/v/samples/1?oe=1&oh=x")


@pytest.mark.parametrize(
    "address",
    [
        "http://scontent.whatsapp.net/x",
        "https://evil.example/x",
        "https://whatsapp.net.evil.example/x",
        "http://127.0.0.1:1/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_sample_is_fetched_from_meta_only(meta, number, address):
    with template_store.graph_for(number) as graph, pytest.raises(ValueError, match="not one of Meta's"):
        graph.fetch_sample(address)


def test_a_new_review_forgets_the_uploaded_sample(meta, number):
    template_store.sync(number)
    template = named(number, "product_photo")
    HeaderSample.objects.create(
        template=template, connection=number, media_id="1", uploaded_at=timezone.now()
    )
    for event in ("PENDING", "APPROVED"):
        tell(number, template, event=event)
    assert not HeaderSample.objects.exists()


# --- Meta's news


def tell(number, template, field="message_template_status_update", time=None, **value):
    """Let Meta say something about a template."""
    told = {
        "message_template_id": int(template.meta_id),
        "message_template_name": template.name,
        "message_template_language": "en-US",
    }
    payload = envelope(number, field=field, **told, **value)
    if time is not None:
        payload["entry"][0]["time"] = time
    assert post(payload).status_code == 200
    apply_callbacks()
    template.refresh_from_db()


def test_news_of_status_quality_and_category_are_followed_with_their_history(app_secret, number):
    template = know_template(number, "UTILITY")
    tell(number, template, event="REJECTED", reason="SCAM")
    assert (template.status, template.rejected_reason) == ("REJECTED", "SCAM")
    tell(number, template, event="REINSTATED", reason="NONE")
    assert (template.status, template.rejected_reason) == ("APPROVED", "")
    tell(number, template, event="PAUSED", other_info={"title": "FIRST_PAUSE", "description": "3 hours"})
    quality = {"previous_quality_score": "GREEN", "new_quality_score": "RED"}
    tell(number, template, field="message_template_quality_update", **quality)
    assert template.quality == "RED"
    category = "template_category_update"
    tell(number, template, field=category, new_category="UTILITY", correct_category="MARKETING")
    assert (template.category, template.correct_category) == ("UTILITY", "MARKETING")
    tell(number, template, field=category, previous_category="UTILITY", new_category="MARKETING")
    assert (template.category, template.correct_category) == ("MARKETING", "")
    seen = list(template.events.order_by("id").values_list("field", "after", "note"))
    assert ("status", "PAUSED", "FIRST_PAUSE") in seen and ("quality", "RED", "") in seen
    assert [after for field, after, _ in seen if field == "status"] == ["REJECTED", "APPROVED", "PAUSED"]


def test_the_customers_webhook_hears_of_status_and_category(app_secret, number):
    template = know_template(number, "UTILITY")
    outbox.note_listener(number.account_id)
    tell(number, template, event="PAUSED", other_info={"title": "FIRST_PAUSE"})
    tell(number, template, event="PAUSED")  # again
    tell(number, template, field="message_template_quality_update", new_quality_score="RED")
    moved = {"previous_category": "UTILITY", "new_category": "MARKETING"}
    tell(number, template, field="template_category_update", **moved)
    told = [json.loads(event.body) for event in Event.objects.order_by("id")]
    assert [one["event"] for one in told] == ["template.status_updated"] * 2
    paused, category = (one["data"] for one in told)
    assert (paused["status"], paused["reason"]) == ("PAUSED", "FIRST_PAUSE")
    assert (category["previousCategory"], category["category"]) == ("UTILITY", "MARKETING")
    assert set(paused) == set(catalogue.CATALOGUE["template.status_updated"].example)


def test_older_news_that_come_later_are_not_applied(app_secret, number):
    template = know_template(number, "UTILITY")
    now = int(timezone.now().timestamp())
    tell(number, template, event="PAUSED", time=now - 10)
    tell(number, template, event="APPROVED", time=now - 60)
    assert template.status == "PAUSED"
    tell(number, template, event="APPROVED", time=now + 10_000)  # a clock that is ahead
    tell(number, template, event="DISABLED")
    assert template.status == "DISABLED"


def test_a_list_asked_for_before_the_news_does_not_undo_them(meta, number):
    template_store.sync(number)
    template = named(number, "hello_world")
    asked_at = timezone.now()
    tell(number, template, event="PAUSED")
    listed = [template.raw | {"status": "APPROVED", "components": []}]
    template_store.store(number, listed, asked_at=asked_at)
    template.refresh_from_db()
    assert template.status == "PAUSED" and template.components == []


def test_news_of_another_accounts_template_change_nothing(number, charlie):
    theirs = know_template(factories.connect(charlie, waba_id=number.waba_id), "UTILITY")
    ours = know_template(number, "UTILITY")
    Template.objects.update(meta_id="12345678")
    told = {"message_template_id": 12345678, "event": "PAUSED"}
    item = parse(envelope(number, field="message_template_status_update", **told))[0]
    template_news.follow(item, number.account_id)
    ours.refresh_from_db()
    theirs.refresh_from_db()
    assert (ours.status, theirs.status) == ("PAUSED", "APPROVED")


def test_a_template_made_in_whatsapp_manager_is_read_soon_after_its_approval(meta, number):
    template_store.sync_due()
    copy = twin(of_meta(meta, number, "hello_world"), "brand_new", "7" * 16)
    meta.sandbox.run(meta.world.wabas[number.waba_id].add, copy)
    meta.world.templates[copy.id] = copy
    meta.sandbox.run(routes_templates.change_status, meta.world, meta.courier, copy, "APPROVED")
    all_callbacks(meta)
    assert template_store.sync_due() == 1 and named(number, "brand_new")


def test_changed_components_are_read_again(meta, number):
    template_store.sync_due()
    template = named(number, "hello_world")
    of_meta(meta, number, "hello_world").components = [{"type": "BODY", "text": "New words."}]
    tell(number, template, field="message_template_components_update", message_template_element="New words.")
    assert template_store.sync_due() == 1
    template.refresh_from_db()
    assert template.components == [{"type": "BODY", "text": "New words."}]
