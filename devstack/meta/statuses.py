"""Statuses of an accepted message, one after the other, as callbacks."""

from typing import Any

from . import errors, ids, magic
from .callbacks import Courier, Item
from .magic import Fate
from .models import SentMessage
from .world import World

# Reactions are never delivered or read in Meta's eyes.
_ONLY_SENT = ("sent",)
_RANK = {"accepted": 0, "sent": 1, "failed": 2, "delivered": 3, "read": 4}


def payload(world: World, message: SentMessage, status: str, failure: int | None = None) -> dict[str, Any]:
    """One element of `statuses`."""
    options = world.options
    hides_phone = magic.fate_of(message.to).hides_phone or not message.wa_id
    made: dict[str, Any] = {
        "id": message.wamid,
        "status": status,
        "timestamp": str(int(world.clock.now())),
    }
    if not hides_phone:
        made["recipient_id"] = message.wa_id
    if options.with_user_ids or hides_phone:
        made["recipient_user_id"] = message.user_id
    if message.ref:
        made["biz_opaque_callback_data"] = message.ref
    if status == "failed":
        made["errors"] = [errors.in_callback(failure or 131000)]
        return made
    if status == "sent" or _RANK[message.status] < _RANK["delivered"]:
        # Pricing comes with `sent` and with the first of delivered and read.
        kind = "free_customer_service" if message.free else "regular"
        if options.api_version.removeprefix("v") < "24":
            made["conversation"] = _conversation(world, message, status)
        made["pricing"] = {
            "billable": not message.free,
            "pricing_model": "PMP",
            "type": kind,
            "category": message.category,
        }
    return made


def _conversation(world: World, message: SentMessage, status: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": ids.alphanumeric(message.wamid, 32).lower(),
        "origin": {"type": message.category},
    }
    if status == "sent":
        made["expiration_timestamp"] = str(int(world.clock.now() + 86400))
    return made


def _contact(world: World, message: SentMessage) -> dict[str, Any]:
    person = world.contact(message.wa_id) if message.wa_id else None
    made: dict[str, Any] = {"profile": {"name": person.name}} if person else {}
    if message.wa_id and not magic.fate_of(message.to).hides_phone:
        made["wa_id"] = message.wa_id
    if world.options.with_user_ids or not message.wa_id:
        made["user_id"] = message.user_id
    return made


class Lives:
    """Plans the statuses of accepted messages and publishes each when its time has come."""

    def __init__(self, world: World, courier: Courier) -> None:
        self.world = world
        self.courier = courier

    def plan(
        self, message: SentMessage, fate: Fate, late_error: int | None
    ) -> list[tuple[str, float, int | None]]:
        """The statuses to come, as (status, delay, error code)."""
        options = self.world.options
        delays = {
            "sent": options.sent_delay,
            "delivered": options.delivered_delay,
            "read": options.read_delay,
        }
        steps, failure = fate.steps, fate.failure
        if late_error is not None and steps != ("failed",):
            steps, failure = ("failed",), late_error
        elif message.type == "reaction":
            steps = _ONLY_SENT
        if (
            options.skip_delivered
            and "read" in steps
            and self.world.random.random() * 100 < options.skip_delivered
        ):
            steps = tuple(step for step in steps if step != "delivered")
        planned: list[tuple[str, float, int | None]] = []
        last = 0.0
        for step in steps:
            if step == "failed":
                # Meta needs a moment to find out; after other statuses it comes later than they do.
                planned.append((step, last + (options.sent_delay or 0.15), failure))
                continue
            delay = delays[step]
            if delay is not None:
                planned.append((step, delay, None))
                last = max(last, delay)
        if fate.reverse or options.shuffle:
            times = [delay for _, delay, _ in planned]
            if fate.reverse:
                times.reverse()
            else:
                self.world.random.shuffle(times)
            planned = [(step, at, code) for (step, _, code), at in zip(planned, times, strict=True)]
        return planned

    def begin(self, message: SentMessage, fate: Fate, late_error: int | None) -> None:
        """Start the life of a message that was just accepted."""
        for status, delay, failure in self.plan(message, fate, late_error):
            self.courier.later(delay, self.happen, message, status, failure, fate.copies)

    async def begin_early(self, message: SentMessage, fate: Fate, late_error: int | None) -> None:
        """Deliver the first callback now, before the caller has an answer, and plan the rest."""
        planned = self.plan(message, fate, late_error)
        for status, delay, failure in planned[1:]:
            self.courier.later(delay, self.happen, message, status, failure, fate.copies)
        if planned:
            status, _, failure = planned[0]
            await self.courier.deliver_now(self._item(message, status, failure))

    def happen(self, message: SentMessage, status: str, failure: int | None = None, copies: int = 1) -> None:
        """The status is reached: remember it and publish it."""
        self.courier.publish(self._item(message, status, failure), copies)

    def _item(self, message: SentMessage, status: str, failure: int | None) -> Item:
        world = self.world
        number = world.numbers[message.phone_number_id]
        value = payload(world, message, status, failure)
        _remember(message, status, failure)
        contact = _contact(world, message) if world.options.with_contacts and status != "failed" else None
        return Item(number.waba_id, "messages", value, "statuses", number, contact)


def _remember(message: SentMessage, status: str, failure: int | None) -> None:
    """The ledger keeps the furthest status; a failure after delivery does not undo it."""
    if _RANK[status] > _RANK[message.status]:
        message.status = status
        message.error = failure if status == "failed" else None
