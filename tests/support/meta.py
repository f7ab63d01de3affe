"""Meta as the tests see it: a real sandbox, its ledger and callbacks, and callbacks signed by hand."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Number
from devstack.meta import seed
from devstack.meta.callbacks import Courier, escaped, signature
from devstack.meta.models import SentMessage
from devstack.meta.server import SandboxThread
from messaging.compose.drafts import Draft, RawTemplate, Text
from messaging.message_templates import named_values
from messaging.models import Contact, Heartbeat, Message, MessageEvent, Status, Template
from messaging.queue import accept
from messaging.reports import reading
from messaging.send import worker as send_worker
from messaging.tasks import apply_meta
from tests import factories
from tests.support.waiting import eventually
from webhooks.incoming import inbox
from webhooks.models import InboundEvent

#: a sandbox in which nothing takes longer than a test can wait
QUICK: dict[str, Any] = {
    "sent_delay": 0.01,
    "delivered_delay": 0.04,
    "read_delay": 0.07,
    "redelivery_start": 0.05,
    "redelivery_cap": 0.2,
    "slow_seconds": 1.5,
    "hang_seconds": 10,
}

_people = itertools.count(14_155_560_000)


def person(last: str = "") -> str:
    """Return the number of somebody new; ``last`` are its last four digits (the sandbox's magic)."""
    number = next(_people)
    if last:
        return f"1415{number % 1000:03d}{last}"
    # Never one of the sandbox's: their last four digits are below 0100.
    return f"1415{number // 1000 % 1000:03d}{1000 + number % 1000}"


class Meta:
    """The sandbox behind the engine, as a test speaks to it."""

    def __init__(self, sandbox: SandboxThread) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world

    def options(self, **values: Any) -> None:
        """Change how the sandbox behaves."""
        self.sandbox.run(self.world.options.change, values)

    def connect(self, account: Account, index: int = 1, *, rate: float | None = None) -> Number:
        """Connect one of the sandbox's numbers; ``rate`` is what both sides think it may send a second."""
        given = seed.number(index)
        number = factories.connect(
            account,
            token=given.access_token,
            phone_number_id=given.phone_number_id,
            waba_id=given.waba_id,
        )
        if rate is not None:
            self.world.numbers[given.phone_number_id].rate = rate
            Number.objects.filter(pk=number.pk).update(messages_per_second=rate)
        return number

    def open_window(self, number: Number, *people: str) -> None:
        """Let these people have written to the number just now, so that free text reaches them."""
        until = self.world.clock.now() + 3600

        def note() -> None:
            for one in people:
                self.world.windows[number.phone_number_id, one] = until

        self.sandbox.run(note)

    def revoke(self, number: Number, *, again: bool = False) -> None:
        """Take the number's token back, or make it valid ``again``."""
        token = self.world.numbers[number.phone_number_id].token
        self.sandbox.run(setattr, self.world.tokens[token], "valid", again)

    def ledger(self, message: Message | None = None) -> list[SentMessage]:
        """Return what the sandbox has accepted: everything, or the lines of one message."""
        lines = list(self.world.messages)
        if message is None:
            return lines
        ref = ref_of(message)
        # A manual retry has a longer reference that begins like the first.
        return [line for line in lines if line.ref.startswith(ref)]

    def writes(self, number: Number, customer: str, **more: Any) -> None:
        """Let a customer write to the number; the callback is on its way when this returns."""
        from devstack.meta import inbound

        self.sandbox.run(
            inbound.receive,
            self.world,
            self.courier,
            self.world.numbers[number.phone_number_id],
            {"from": customer, **more},
        )

    @property
    def courier(self) -> Courier:
        """The sender of the sandbox's callbacks."""
        return self.sandbox.courier

    def begin(self, callback_url: str) -> None:
        """Start from the seeded state with quick answers."""
        self.sandbox.run(self.courier.forget)
        self.sandbox.run(self.world.reset)
        self.world.callback_url = callback_url
        self.options(**QUICK)

    def end(self) -> None:
        """Send no more callbacks and wait for those under way, so that none reaches the next test."""
        self.options(callback_loss=100)
        self.world.callback_url = ""
        self.sandbox.run(self.courier.forget)
        eventually(lambda: not self.courier.under_way)


# --- messages


def ref_of(message: Message) -> str:
    """Return what comes back to us in every callback about a message (``biz_opaque_callback_data``)."""
    return f"hm:{message.pk}"


def queue(account: Account, *, to: str = "", what: Any = None, **more: Any) -> Message:
    """Queue one message as the API does and return its row."""
    draft = Draft(to=to or person(), what=what or RawTemplate("hello_world", "en_US"), **more)
    origin = accept.Origin(Message.Source.CLASSIC, account)
    (draft,) = named_values.fill_all(origin, [draft])
    return Message.objects.get(pk=accept.queue(origin, draft).id)


def queue_many(account: Account, count: int, **more: Any) -> list[Message]:
    """Queue several messages to as many people."""
    what = more.pop("what", None) or RawTemplate("hello_world", "en_US")
    drafts = [Draft(to=person(), what=what) for _ in range(count)]
    queued = accept.queue_many(accept.Origin(Message.Source.CLASSIC, account, **more), drafts)
    return list(Message.objects.filter(pk__in=[one.id for one in queued]).order_by("pk"))


def queue_text(meta: Meta, number: Number, *, to: str = "", body: str = "Hello", **more: Any) -> Message:
    """Queue free text to somebody who has just written."""
    to = to or person()
    meta.open_window(number, to)
    return queue(number.account, to=to, what=Text(body), **more)


def know_template(number: Number, category: str, name: str = "hello_world") -> Template:
    """Store a template as a sync with Meta would have."""
    return Template.objects.create(
        account=number.account,
        waba_id=number.waba_id,
        meta_id=str(uuid.uuid4().int)[:16],
        name=name,
        language="en_US",
        status="APPROVED",
        category=category,
        synced_at=timezone.now(),
    )


def row(message: Message) -> Message:
    """Read a message again."""
    return Message.objects.get(pk=message.pk)


def status_of(message: Message) -> str:
    """Return where a message stands now."""
    return row(message).status


def history(message: Message) -> list[str]:
    """Return the statuses of a message's timeline as the API shows them: in the order they happened."""
    return [status for status, _ in reading.timeline(message)]


def learnt(message: Message) -> list[str]:
    """Return the statuses of a message's timeline in the order in which they were learnt."""
    return list(
        MessageEvent.objects.filter(message=message).order_by("sequence").values_list("status", flat=True)
    )


def statuses(account: Account) -> dict[str, int]:
    """Count an account's messages by status."""
    found: dict[str, int] = {}
    for status in Message.objects.filter(account=account).values_list("status", flat=True):
        found[status] = found.get(status, 0) + 1
    return found


# --- the engine


def drain(seconds: float = 20.0, linger: float = 0.3) -> send_worker.Pipeline:
    """Run the engine until there is nothing left that is due."""
    return send_worker.drain(seconds=seconds, linger=linger)


@contextlib.contextmanager
def draining(**more: Any) -> Iterator[threading.Thread]:
    """Run the engine beside the test; leaving the block waits for its end and passes on its exception."""
    trouble: list[BaseException] = []

    def work() -> None:
        try:
            drain(**more)
        except BaseException as error:
            trouble.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name="engine")
    thread.start()
    try:
        yield thread
    finally:
        thread.join(60)
    assert not thread.is_alive(), "the engine did not end"
    if trouble:
        raise trouble[0]


def apply_callbacks() -> int:
    """Apply the callbacks that have been stored."""
    return inbox.drain(source=InboundEvent.Source.META, apply=apply_meta)


def reaches(message: Message, *wanted: str, seconds: float = 15.0) -> Message:
    """Apply callbacks until the message has one of these statuses."""

    def there() -> bool:
        apply_callbacks()
        return status_of(message) in wanted

    try:
        eventually(there, seconds)
    except AssertionError:
        raise AssertionError(f"{status_of(message)} instead of {wanted}: {history(message)}") from None
    return row(message)


def all_callbacks(meta: Meta) -> None:
    """Apply callbacks until the sandbox has sent all of its own and none is left to apply."""

    def quiet() -> bool:
        apply_callbacks()
        busy = meta.courier.planned or meta.courier.waiting or meta.courier.under_way
        return not busy and not InboundEvent.objects.filter(due_at__isnull=False).exists()

    eventually(quiet)


def receiver_was_well() -> None:
    """Let our own receiver have been reachable for hours, so that Meta's silence means something."""
    now = timezone.now()
    Heartbeat.objects.update_or_create(
        name="receiver", defaults={"ok_since": now - timedelta(hours=9), "last_ok_at": now}
    )


def let_time_pass(account: Account, *, keep_paused: bool = False) -> None:
    """Make everything that waits for a moment due now, as if that moment had come."""
    Message.objects.filter(account=account, due_at__isnull=False).update(
        due_at=timezone.now() - timedelta(seconds=1)
    )
    Contact.objects.filter(account=account).update(pair_slot_at=None)
    numbers = Number.objects.filter(account=account)
    numbers.update(next_slot_at=None, slowed_to=None, slowed_at=None)
    if not keep_paused:
        numbers.update(paused_until=None)


def make_due(number: Number | None, count: int = 1, **fields: Any) -> list[Message]:
    """Store rows that are due, without the way through the queue; quick for hundreds."""
    account = fields.pop("account", None) or number.account
    now = timezone.now() - timedelta(minutes=1)
    made = [
        Message(
            **{
                "account": account,
                "connection": number,
                "source": Message.Source.CLASSIC,
                "recipient": person(),
                "type": "text",
                "content": {"type": "text", "text": {"body": "Hello"}},
                "status": Status.QUEUED,
                "sequence": 1,
                "due_at": now + timedelta(microseconds=index),
                "created_at": now,
            }
            | fields
        )
        for index in range(count)
    ]
    Message.objects.bulk_create(made)
    first = Status.SCHEDULED if fields.get("status") == Status.SCHEDULED else Status.QUEUED
    MessageEvent.objects.bulk_create(
        [MessageEvent(message=one, sequence=1, status=first, at=now, recorded_at=now) for one in made]
    )
    return made


# --- callbacks by hand


def status_item(
    wamid: str, status: str, *, at: float | datetime | None = None, **more: Any
) -> dict[str, Any]:
    """Return one element of ``statuses``."""
    if isinstance(at, datetime):
        at = at.timestamp()
    stamp = int(time.time() if at is None else at)
    return {"id": wamid, "status": status, "timestamp": str(stamp), "recipient_id": "14155552671", **more}


def status_for(message: Message, status: str, **more: Any) -> dict[str, Any]:
    """Return a status of one of our messages, found by our own id in it."""
    wamid = more.pop("wamid", None) or f"wamid.{message.pk}"
    return status_item(wamid, status, **{"biz_opaque_callback_data": ref_of(message), **more})


def text_item(wamid: str, sender: str, body: str = "Hi", **more: Any) -> dict[str, Any]:
    """Return one element of ``messages``: a text from ``sender``."""
    made = {"id": wamid, "timestamp": str(int(time.time())), "type": "text", "text": {"body": body}}
    return ({"from": sender} if sender else {}) | made | more


def envelope(number: Number | str, *, field: str = "messages", **value: Any) -> dict[str, Any]:
    """Return a callback's body about one number; ``value`` holds ``statuses=`` or ``messages=``."""
    ident = number if isinstance(number, str) else number.phone_number_id
    waba = "0" if isinstance(number, str) else number.waba_id or "0"
    metadata = {"display_phone_number": "15550000000", "phone_number_id": ident}
    whole = {"messaging_product": "whatsapp", "metadata": metadata, **value}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": waba, "changes": [{"value": whole, "field": field}]}],
    }


def raw_of(payload: Any) -> bytes:
    """Return the bytes that Meta would send: everything beyond ASCII escaped, and the slashes too."""
    return payload if isinstance(payload, bytes) else escaped(payload)


def post(
    payload: Any,
    *,
    secret: str | None = seed.APP_SECRET,
    path: str = "/webhooks/whatsapp",
    header: str | None = None,
    **more: Any,
) -> Any:
    """Post a callback signed with ``secret`` (None: unsigned, unless ``header`` is given)."""
    raw = raw_of(payload)
    if header is None and secret is not None:
        header = signature(secret.encode(), raw)
    if header is not None:
        more["HTTP_X_HUB_SIGNATURE_256"] = header
    return Client().generic("POST", path, raw, content_type="application/json", **more)


def says(number: Number, *items: dict[str, Any], key: str = "statuses") -> None:
    """Let Meta say these things in one callback, and apply it."""
    assert post(envelope(number, **{key: list(items)})).status_code == 200
    apply_callbacks()


# --- side by side


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call ``work(0)`` … ``work(count - 1)`` in as many threads that start at the same moment."""
    gate = threading.Barrier(count)
    results: list[Any] = [None] * count
    trouble: list[BaseException] = []

    def run(index: int) -> None:
        try:
            connection.ensure_connection()
            gate.wait(20)
            results[index] = work(index)
        except BaseException as error:
            trouble.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "the threads wait for each other"
    if trouble:
        raise trouble[0]
    return results


def backends() -> list[int]:
    """Return the process ids of every other Postgres session of this test's database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return [pid for (pid,) in cursor.fetchall()]
