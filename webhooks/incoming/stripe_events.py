"""Stripe's events in the inbox: stored by their id, then Stripe is asked about what they name.

While Stripe does not answer, or is not set up, an event stays due: it is never given up for that.
"""

from __future__ import annotations

import orjson
import structlog
from django.db import transaction

from billing import events, old_event_table, stripe_api
from core.json_signed import Unreadable
from webhooks.incoming import inbox
from webhooks.models import InboundEvent

log = structlog.get_logger(__name__)

SOURCE = InboundEvent.Source.STRIPE
BATCH = 50
LEASE_SECONDS = 120.0
#: tries before an event that cannot be applied is left for an operator; Stripe's silence is no try
MAX_ATTEMPTS = 8
LONGEST_WAIT_SECONDS = 300
_PATIENCE = inbox.Patience(max_attempts=MAX_ATTEMPTS, base=3, longest_seconds=LONGEST_WAIT_SECONDS)


def receive(raw: bytes, event: events.Event | None) -> bool:
    """Store what Stripe has signed. False: it was stored before, by its id.

    Without ``event`` it cannot be read as one; it is known by its bytes then, and the worker parks it.
    """
    if event is None:
        return inbox.receive(source=SOURCE, account_id=None, raw=raw)
    named = {name[:100] for name in (event.id, event.type, event.customer, event.subject) if name}
    return inbox.receive(source=SOURCE, account_id=None, raw=raw, names=named, known_as=event.id)


def drain() -> int:
    """Ask Stripe about what is due and apply its answers; returns how many events are done."""
    _take_over()
    done = 0
    if not stripe_api.configured():
        return 0
    while held := inbox.claim(SOURCE, batch=BATCH, lease_seconds=LEASE_SECONDS):
        asked: dict[str, Exception | None] = {}
        done += sum(_apply(one, asked) for one in held)
    return done


def _apply(one: inbox.Held, asked: dict[str, Exception | None]) -> bool:
    """Do what an event asks for, and note in ``asked`` what was; True when it is done with."""
    parked: list[dict[str, object]] = []
    try:
        event = events.read(one.raw)
        question = events.question(event)
        if question is not None:
            # Ten events about one customer are one question.
            if question.about not in asked:
                asked[question.about] = _trouble_with(question)
            if trouble := asked[question.about]:
                raise trouble
    except Unreadable as error:
        parked = [{"reason": str(error)}]
    except stripe_api.Unavailable as error:
        log.warning("Stripe could not be asked", callback=str(one.id), stripe_event=event.id, why=str(error))
        inbox.wait_for_answer(one, error, longest_seconds=LONGEST_WAIT_SECONDS)
        return False
    except Exception as error:
        log.exception("an event of Stripe's could not be applied", callback=str(one.id))
        inbox.try_later(one, error, _PATIENCE)
        return False
    inbox.finish([one], {one.id: parked} if parked else {})
    return True


def _trouble_with(question: events.Question) -> Exception | None:
    try:
        question.ask()
    except Exception as error:
        return error
    return None


@transaction.atomic
def _take_over() -> None:
    """Bring what a process of the version before has stored meanwhile: it is asked about like any other."""
    for event in old_event_table.take():
        about = {"id": event.subject, "customer": event.customer}
        raw = orjson.dumps({"id": event.id, "type": event.type, "data": {"object": about}})
        receive(raw, event)
