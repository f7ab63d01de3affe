"""Callbacks as Meta's examples have them: all are taken and leave nothing to do."""

from __future__ import annotations

import json

import pytest

from accounts.models import Number
from messaging.inbound.apply_callbacks import open_envelope
from messaging.models import Message
from tests import factories
from tests.support.examples import callbacks
from tests.support.meta import apply_callbacks, post
from webhooks.models import InboundEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("app_secret")]


def bodies() -> dict[str, bytes]:
    return {name: json.dumps(example).encode() for name, example in callbacks().items()}


def test_every_example_is_taken_and_applied(alice):
    named = set().union(*(open_envelope(raw).phone_number_ids for raw in bodies().values()))
    # One account owns one default number; the examples speak of one or two.
    for ident in sorted(named):
        owner = alice if not Number.objects.exists() else factories.make_account()
        factories.connect(owner, phone_number_id=ident)
    for name, raw in bodies().items():
        assert post(raw).status_code == 200, name
    apply_callbacks()
    assert not InboundEvent.objects.filter(due_at__isnull=False).exists()
    assert not InboundEvent.objects.filter(applied_at=None).exists()
    assert Message.objects.filter(direction="in").exists()


def test_every_example_is_taken_also_for_a_number_we_do_not_know():
    for name, raw in bodies().items():
        assert post(raw).status_code == 200, name
    apply_callbacks()
    assert not InboundEvent.objects.filter(due_at__isnull=False).exists()
    assert not Message.objects.exists()
