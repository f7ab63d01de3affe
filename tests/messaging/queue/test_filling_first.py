"""What a send needs of Meta is fetched before its transaction, and only for a send that can be accepted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from accounts.models import Number
from core import redis as our_redis
from core.errors import Refusal
from messaging.compose.drafts import Draft, FilledTemplate
from messaging.message_templates.named_values import fill_all
from messaging.models import Message, TemplateSync
from messaging.queue.accept import Origin
from tests.factories import api
from tests.support.v1 import MESSAGES, PHONE, TEMPLATES, Customer, make_customer, refused

_OPEN = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
"""


@pytest.fixture
def org(meta, alice) -> Customer:
    """A customer whose number the sandbox has, with a template that nobody has."""
    number = meta.connect(alice)
    Number.objects.filter(pk=number.pk).update(display_phone=PHONE[1:], status="active")
    number.refresh_from_db()
    return Customer(alice, alice.agents.get(), number)


@pytest.fixture
def watching_meta(settings: Any) -> Iterator[list[int]]:
    """A Meta that is out of order; gives how many transactions were open whenever it was asked."""
    seen: list[int] = []

    class Meta(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ours = connections.create_connection("default")
            try:
                with ours.cursor() as cursor:
                    cursor.execute(_OPEN)
                    seen.append(cursor.fetchone()[0])
            finally:
                ours.close()
            self.send_error(500)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Meta)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.META_GRAPH_URL = f"http://127.0.0.1:{server.server_port}"
    yield seen
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_meta_is_asked(watching_meta):
    org = make_customer()
    Number.objects.filter(pk=org.number.pk).update(waba_id="1" * 15)
    body = org.template(name="nobody_has_it", parameters={"1": "Sara"})
    answer = org.api().post_json(TEMPLATES, body, HTTP_IDEMPOTENCY_KEY="k")
    assert answer.status_code == 202
    assert watching_meta and set(watching_meta) == {0}


def test_a_replay_asks_meta_nothing_and_neither_does_another_request_with_its_key(meta, org):
    body = org.template(name="nobody_has_it", parameters={"1": "Sara"})
    first = org.api().post_json(TEMPLATES, body, HTTP_IDEMPOTENCY_KEY="k")
    assert first.status_code == 202
    before = forget_that_it_was_asked(meta)
    again = org.api().post_json(TEMPLATES, body, HTTP_IDEMPOTENCY_KEY="k")
    assert (again.status_code, again.content) == (202, first.content)
    other = org.template(name="nobody_has_it_either")
    answer = org.api().post_json(TEMPLATES, other, HTTP_IDEMPOTENCY_KEY="k")
    refused(answer, 422, "idempotency_key_in_use_with_different_params")
    assert meta.world.stats["requests"] == before
    assert Message.objects.count() == 1


def test_a_send_that_is_refused_for_a_paused_number_asks_meta_nothing(meta, org):
    until = timezone.now() + timedelta(seconds=60)
    Number.objects.filter(pk=org.number.pk).update(breaker_open_since=until, paused_until=until)
    org.number.refresh_from_db()
    before = meta.world.stats["requests"]
    draft = Draft(to="14155550100", what=FilledTemplate("nobody_has_it", "en_US"))
    with pytest.raises(Refusal, match="paused"):
        fill_all(Origin(Message.Source.DASHBOARD, org.account, number=org.number), [draft])
    assert meta.world.stats["requests"] == before
    # /v1 takes it, so it is filled as well as can be
    answer = org.api().post_json(TEMPLATES, org.template(name="nobody_has_it"))
    assert answer.status_code == 202


def test_a_used_key_is_told_before_faults_under_v1_and_after_them_in_the_classic_api(db):
    org = make_customer()
    faulty: dict[str, Any] = {"to": "nobody"}
    assert org.api().post_json(MESSAGES, org.text(), HTTP_IDEMPOTENCY_KEY="k").status_code == 202
    answer = org.api().post_json(MESSAGES, faulty, HTTP_IDEMPOTENCY_KEY="k")
    refused(answer, 422, "idempotency_key_in_use_with_different_params")
    who = api(org.account)
    text = {"to": "14155552671", "message": "Hello"}
    assert who.post_json("/send-message", text, HTTP_IDEMPOTENCY_KEY="c").status_code == 202
    assert who.post_json("/send-message", faulty, HTTP_IDEMPOTENCY_KEY="c").status_code == 400


def forget_that_it_was_asked(meta: Any) -> int:
    """Let Meta be asked again at once; returns how often it was asked of late."""
    TemplateSync.objects.update(asked_at=None)
    our_redis.client().flushdb()
    return int(meta.world.stats["requests"])
