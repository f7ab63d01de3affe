"""Verification of a number: its credentials checked with Meta one by one."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.credentials import Credentials
from accounts.models import Number
from accounts.vault import CannotOpen
from core.jobs import shutdown
from messaging.message_templates import store as template_store
from messaging.meta.graph import Graph, GraphError, GraphUnreachable
from messaging.numbers import proofs
from messaging.status import webhook_events

#: messages a second by Meta's throughput level (contract 3.3)
_RATES = {"STANDARD": 80.0, "HIGH": 1000.0}
_SEND_SCOPE = "whatsapp_business_messaging"
_TAKEN = (
    "Another account of this service has shown that it uses this phone number id.",
    "Remove the number there first, or take its access away in Meta Business settings; then check again.",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the diagnosis. ``ok`` None: could not be checked; such a line spoils nothing."""

    check: str
    ok: bool | None
    message: str
    fix: str | None = None
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All lines, and what was learnt of the number on the way."""

    verified: bool
    checks: list[Check]


def graph_for(number: Number) -> Graph:
    """Return the Graph API as this number's credentials see it. Raises ``vault.CannotOpen``, ValueError."""
    return Graph(
        settings.META_GRAPH_URL,
        settings.META_GRAPH_VERSION,
        number.access_token,
        number.app_secret or None,
    )


def verify(number: Number) -> Diagnosis:
    """Ask Meta about a number's credentials and store what it says.

    The number counts as verified when the token is valid and sees the number; a WABA that was given
    must own it. Never raises for what Meta answers: each refusal is a line with its remedy.
    """
    with graph_for(number) as graph:
        token_check, token = _check_token(graph)
        checks = [token_check]
        number_check, facts = _check_number(graph, number.phone_number_id)
        checks.append(number_check)
        waba_id = number.waba_id or _find_waba(graph, number.phone_number_id, token)
        checks.append(_check_waba(graph, number.phone_number_id, waba_id, given=bool(number.waba_id)))
        checks.append(_check_subscription(graph, waba_id))
    if proofs.shows(facts, number.phone_number_id):
        owned = {True: waba_id, False: "", None: None if waba_id else ""}[checks[2].ok]
        if not proofs.note(number, owned):
            checks[1] = Check("phone_number", False, *_TAKEN)
    verified = all(check.ok is not False for check in checks if check.check != "webhook") and bool(facts)
    _store(number, verified=verified, checks=checks, facts=facts, waba_id=waba_id)
    if verified:
        template_store.want(number.account_id, number.waba_id)
    return Diagnosis(verified, checks)


def _store(
    number: Number, *, verified: bool, checks: list[Check], facts: dict[str, Any], waba_id: str
) -> None:
    changes: dict[str, Any] = {"checks": [asdict(check) for check in checks]}
    if facts:
        digits = re.sub(r"[^0-9]", "", str(facts.get("display_phone_number", "")))[:15]
        changes["display_phone"] = digits or number.display_phone
        changes["verified_name"] = str(facts.get("verified_name") or "")[:200]
        throughput = facts.get("throughput")
        level = throughput.get("level") if isinstance(throughput, dict) else None
        changes["messages_per_second"] = _RATES.get(str(level), number.messages_per_second)
    if verified:
        changes |= {
            "status": Number.Status.ACTIVE,
            "status_reason": "",
            "paused_until": None,
            "verified_at": timezone.now(),
            "waba_id": waba_id,
        }
    # Only if the credentials are still those that were checked.
    updated = Number.objects.filter(pk=number.pk, access_token_sealed=number.access_token_sealed)
    was_held = number.status == Number.Status.HELD
    with transaction.atomic():
        changed = updated.update(**changes)
        if changed and verified and was_held:
            webhook_events.number_resumed(number)
    if changed:
        for name, value in changes.items():
            setattr(number, name, value)


def _check_token(graph: Graph) -> tuple[Check, dict[str, Any]]:
    try:
        token = graph.debug_token()
    except GraphError as error:
        fix = "Create a new token for a system user in Meta Business settings and save it here."
        return Check("token", False, error.meta.tells, fix, error.code), {}
    except GraphUnreachable as error:
        return Check("token", None, f"Could not be checked: {error.reason}.", "Try again in a minute."), {}
    if not token.get("is_valid"):
        return Check(
            "token",
            False,
            "Meta says that this access token is not valid.",
            "Create a new token for a system user in Meta Business settings and save it here.",
            190,
        ), {}
    scopes = token.get("scopes") or []
    if _SEND_SCOPE not in scopes:
        return Check(
            "token",
            False,
            f"The token lacks the permission {_SEND_SCOPE}.",
            f"Create the token again with {_SEND_SCOPE} and whatsapp_business_management.",
            200,
        ), token
    if token.get("type") == "USER" or (token.get("expires_at") or 0) > 0:
        return Check(
            "token",
            True,
            "The token is valid, but it will expire.",
            "For production create a token of a system user that never expires.",
        ), token
    return Check("token", True, "The token is valid and may send messages."), token


def _check_number(graph: Graph, phone_number_id: str) -> tuple[Check, dict[str, Any]]:
    try:
        facts = graph.phone_number(phone_number_id)
    except GraphError as error:
        return Check(
            "phone_number",
            False,
            "The token cannot see this phone number id.",
            "Copy the Phone number ID (not the number itself) from WhatsApp > API Setup in your Meta app, "
            "and assign the WhatsApp account to the token's system user.",
            error.code,
        ), {}
    except GraphUnreachable as error:
        return Check(
            "phone_number", None, f"Could not be checked: {error.reason}.", "Try again in a minute."
        ), {}
    status = facts.get("status")
    if status not in (None, "CONNECTED"):
        return Check(
            "phone_number",
            False,
            f"Meta lists this number as {status}; it must be CONNECTED to send.",
            "Open the number in WhatsApp Manager and follow what it asks for.",
        ), facts
    shown = facts.get("display_phone_number", phone_number_id)
    return Check("phone_number", True, f"{shown} ({facts.get('verified_name', 'no name')}) is ready."), facts


def _find_waba(graph: Graph, phone_number_id: str, token: dict[str, Any]) -> str:
    """Look for the number's WhatsApp account among those that the token names."""
    candidates: list[str] = []
    for scope in token.get("granular_scopes") or []:
        candidates += [str(ident) for ident in scope.get("target_ids") or []]
    for waba_id in list(dict.fromkeys(candidates))[:5]:
        try:
            if any(str(n.get("id")) == phone_number_id for n in graph.waba_phone_numbers(waba_id)):
                return waba_id
        except (GraphError, GraphUnreachable, ValueError):
            continue
    return ""


def _check_waba(graph: Graph, phone_number_id: str, waba_id: str, *, given: bool) -> Check:
    if not waba_id:
        return Check(
            "waba",
            None,
            "No WhatsApp Business Account id is saved, so templates cannot be listed.",
            "Save whatsappBusinessAccountId with the credentials; sending works without it.",
        )
    if not given:
        return Check("waba", True, f"The number belongs to WhatsApp Business Account {waba_id}.")
    try:
        mine = graph.waba_phone_numbers(waba_id)
    except (GraphError, ValueError) as error:
        return Check(
            "waba",
            False,
            "The token cannot see this WhatsApp Business Account.",
            "Check whatsappBusinessAccountId, and that the token has whatsapp_business_management.",
            getattr(error, "code", None),
        )
    except GraphUnreachable as error:
        return Check("waba", None, f"Could not be checked: {error.reason}.", "Try again in a minute.")
    if not any(str(found.get("id")) == phone_number_id for found in mine):
        return Check(
            "waba",
            False,
            "The phone number does not belong to this WhatsApp Business Account.",
            "Use the account id that stands above the number in WhatsApp > API Setup.",
        )
    return Check("waba", True, f"The number belongs to WhatsApp Business Account {waba_id}.")


def _check_subscription(graph: Graph, waba_id: str) -> Check:
    if not waba_id:
        return Check("webhook", None, "Cannot be checked without the WhatsApp Business Account id.")
    try:
        apps = graph.subscribed_apps(waba_id)
    except (GraphError, ValueError) as error:
        return Check(
            "webhook",
            None,
            "The webhook subscription could not be read.",
            "Give the token the permission whatsapp_business_management.",
            getattr(error, "code", None),
        )
    except GraphUnreachable as error:
        return Check("webhook", None, f"Could not be checked: {error.reason}.", "Try again in a minute.")
    if not apps:
        return Check(
            "webhook",
            False,
            "No app is subscribed to this account, so delivery reports will not arrive.",
            "In your Meta app open WhatsApp > Configuration, set the callback URL and subscribe to messages.",
        )
    return Check("webhook", True, "An app is subscribed to this account.")


# Asked again after a minute, then after half of the time that the credentials have been there, at most an
# hour; after a week by a person's check alone.
_TO_PROVE = """
UPDATE accounts_connection SET proof_due_at = CASE
    WHEN coalesce(credentials_at, updated_at) > now() - interval '7 days'
    THEN now() + greatest(interval '1 minute',
                          least(interval '1 hour', (now() - coalesce(credentials_at, updated_at)) / 2)) END
WHERE id = (
    SELECT c.id FROM accounts_connection c JOIN accounts_account a ON a.id = c.account_id
    WHERE c.proof_due_at <= now() AND c.removed_at IS NULL AND a.is_active
    ORDER BY c.proof_due_at LIMIT 1 FOR NO KEY UPDATE OF c SKIP LOCKED)
RETURNING id
"""


def verify_due(*, seconds: float = 20.0) -> int:
    """Check the numbers about which Meta could not be asked when they were saved; returns how many.

    After ``seconds``, or when the process is asked to stop, no further one is begun.
    """
    asked = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until and not shutdown.asked.is_set():
        with connection.cursor() as cursor:
            cursor.execute(_TO_PROVE)
            row = cursor.fetchone()
        if row is None:
            break
        asked += 1
        _verify_due(Number.objects.get(pk=row[0]))
    return asked


def _verify_due(number: Number) -> None:
    answered = Number.objects.filter(pk=number.pk, access_token_sealed=number.access_token_sealed)
    try:
        given = Credentials(
            number.access_token, number.phone_number_id, number.waba_id, number.app_secret or None
        )
        proof = proofs.ask(given)
        if proof.number or not proof.again:
            verify(number)
    except (CannotOpen, ValueError):
        proof = proofs.Proof(again=False)  # nobody can read this token any more
    if not proof.again:
        answered.update(proof_due_at=None)
