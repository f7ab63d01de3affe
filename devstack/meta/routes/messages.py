"""`POST /{phone_number_id}/messages`: sends, marks as read, and the two ways they may go wrong."""

import asyncio
import hashlib
from typing import Any

from aiohttp import web

from .. import faults, ids, magic, validation
from ..errors import GraphError
from ..graph import LIVES, Call, need_scope, parsed, route
from ..magic import Fate
from ..models import Number, SentMessage
from ..validation import Send
from ..world import World

_STATUS_REFUSALS = {
    "PENDING": 133010, "UNVERIFIED": 133010, "DISCONNECTED": 133010, "MIGRATED": 133010, "DELETED": 133010,
    "OFFLINE": 131016, "RESTRICTED": 131031, "BANNED": 131031, "PAUSED": 131031, "RATE_LIMITED": 131048,
    "MAINTENANCE": 131057,
}  # fmt: skip


@route("POST", "number", "messages")
async def messages(call: Call) -> Any:
    """Accept a message or a mark as read."""
    need_scope(call, "whatsapp_business_messaging")
    number: Number = call.node
    raw = await call.raw()
    body = (
        parsed(raw) if call.request.content_type != "application/x-www-form-urlencoded" else await call.body()
    )
    world = call.world
    if world.options.latency_ms:
        await asyncio.sleep(world.options.latency_ms / 1000)
    if "status" in body:
        world.received[validation.check_read(world, body)].read = True
        return {"success": True}
    send = validation.check(world, number, body)
    return await _send(call, number, send, raw)


@route("POST", "number", "marketing_messages")
async def marketing_messages(call: Call) -> Any:
    """The marketing endpoint: the same call, open to marketing templates alone."""
    need_scope(call, "whatsapp_business_messaging")
    number: Number = call.node
    raw = await call.raw()
    send = validation.check(call.world, number, parsed(raw))
    if send.template is None or send.template.category != "MARKETING":
        raise GraphError(131055, "Only marketing templates can be sent here.")
    return await _send(call, number, send, raw)


async def _send(call: Call, number: Number, send: Send, raw: bytes) -> web.StreamResponse | dict[str, Any]:
    world, request = call.world, call.request
    _ready(number, send)
    _limits(world, number, send)
    fate = magic.fate_of(send.recipient.digits)
    tried = fate.first_only and _tried_before(world, number, send, raw)
    if fate.refuse is not None and not tried:
        raise GraphError(fate.refuse, plain=fate.refuse == 190)
    fault = faults.drawn(world, fate, tried)
    if fault:
        world.stats[f"fault {fault}"] += 1
        if fault == "reset_before":
            return faults.cut(request)
        if fault == "html_503":
            return faults.html_503()
        if fault == "error_500_before":
            raise GraphError(2)
        if fault == "error_429":
            raise GraphError(130429)
    message = _accept(world, number, send, raw)
    await _begin(call, message, send, fate)
    if fault == "slow":
        await asyncio.sleep(world.options.slow_seconds)
    elif fault == "hang_after":
        return await faults.hang(world, request)
    elif fault == "reset_after":
        return faults.cut(request)
    elif fault == "error_500_after":
        raise GraphError(131000)
    return _answer(message, send)


def _ready(number: Number, send: Send) -> None:
    """Whether the number may send at all, and to this recipient."""
    code = _STATUS_REFUSALS.get(number.status)
    if code is not None:
        raise GraphError(code)
    if number.name_status == "DECLINED":
        raise GraphError(131037)
    if number.account_mode == "SANDBOX" and send.recipient.digits not in number.allowed_recipients:
        raise GraphError(131030)


def _limits(world: World, number: Number, send: Send) -> None:
    """The number's throughput, then the pair's; a send refused by the second has used up the first."""
    options = world.options
    now = world.clock.now()
    rate = options.number_rate if options.number_rate is not None else number.messages_per_second()
    if rate and not world.number_limits.take(number.id, now, 1 / rate, max(1.0, rate)):
        raise GraphError(130429)
    burst, refill = options.pair_burst, options.pair_refill
    if burst and refill and not world.pair_limits.take((number.id, send.recipient.key), now, refill, burst):
        raise GraphError(131056)


def _tried_before(world: World, number: Number, send: Send, raw: bytes) -> bool:
    """Whether this very message was refused on its first try; the next try is then let through."""
    mark = (number.id, send.recipient.digits, send.ref or hashlib.sha256(raw).digest())
    if mark in world.tried:
        world.tried.discard(mark)
        return True
    world.tried.add(mark)
    return False


def _accept(world: World, number: Number, send: Send, raw: bytes) -> SentMessage:
    recipient = send.recipient
    opened = world.windows.get((number.id, recipient.key), 0.0) > world.clock.now()
    template = send.template
    if template is None:
        category, free = "service", True
    else:
        category = template.category.lower()
        free = opened and category == "utility"
    message = SentMessage(
        wamid=ids.wamid(recipient.wa_id or "0"),
        phone_number_id=number.id,
        to=recipient.digits,
        wa_id=recipient.wa_id,
        user_id=recipient.user_id,
        type=send.type,
        category=category,
        ref=send.ref,
        raw=raw,
        accepted_at=world.clock.now(),
        free=free,
        template_id=template.id if template else "",
    )
    world.record_sent(message)
    world.stats["accepted"] += 1
    return message


async def _begin(call: Call, message: SentMessage, send: Send, fate: Fate) -> None:
    world = call.world
    late_error = send.late_error
    if send.template is None and not world.window_open(message.phone_number_id, send.recipient.key):
        late_error = 131047
    lives = call.request.app[LIVES]
    percent = world.options.callback_before_answer
    if fate.before_answer or (percent and world.random.random() * 100 < percent):
        await lives.begin_early(message, fate, late_error)
    else:
        lives.begin(message, fate, late_error)


def _answer(message: SentMessage, send: Send) -> dict[str, Any]:
    contact: dict[str, str] = {"input": send.recipient.given}
    if not send.recipient.by_user_id:
        contact["wa_id"] = message.wa_id
    if send.recipient.by_user_id or send.recipient.both:
        contact["user_id"] = message.user_id
    accepted = {"id": message.wamid}
    if send.template is not None:
        accepted["message_status"] = "accepted"
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [accepted]}
