"""Proof of a number: a claim counts when Meta's answer to its token showed the number.

Anybody may save any phone number id with a made-up token. Until Meta has answered to it, such a claim
receives nothing, keeps nobody out and tells nothing of others. Meta is asked when credentials are saved,
by every check, by the first message that it takes, and by itself when it could not be asked at first.
"""

from __future__ import annotations

import uuid

import structlog
from django.conf import settings
from django.utils import timezone

from accounts import connections
from accounts.connections import Proof
from accounts.credentials import Credentials
from accounts.models import Account, Agent, Number
from accounts.vault import CannotOpen
from core.errors import Refusal
from core.secret import Secret
from messaging.meta.codes import Outcome
from messaging.meta.graph import Graph, GraphError, GraphUnreachable
from webhooks.incoming import archive

log = structlog.get_logger(__name__)

#: somebody waits for the answer to their PUT; what Meta does not say by then is asked again later
TIMEOUT_SECONDS = 5.0


def save(account: Account, given: Credentials) -> Number:
    """Save the default number's credentials after asking Meta whose it is (``connections.save_credentials``).

    Raises ``Refusal`` (``conflict``) when Meta's answer showed the number and another account has shown it.
    """
    proof = _ask_to_save(account, given)
    return connections.save_credentials(
        account,
        access_token=given.access_token,
        phone_number_id=given.phone_number_id,
        waba_id=given.waba_id,
        app_secret=given.app_secret,
        proof=proof,
    )


def add(account: Account, agent: Agent, given: Credentials) -> Number:
    """Connect one more number after asking Meta whose it is (``connections.add_number``).

    Raises ``Refusal`` as ``save`` does.
    """
    return connections.add_number(account, agent, given, _ask_to_save(account, given))


def ask(given: Credentials) -> Proof:
    """Ask Meta what a token reaches. Never raises for what Meta answers."""
    try:
        with _graph(given.access_token, given.app_secret) as graph:
            facts = graph.phone_number(given.phone_number_id)
            if not shows(facts, given.phone_number_id):
                return Proof(again=False)
            return _with_waba(graph, given)
    except GraphError as error:
        return Proof(again=not refuses(error))
    except GraphUnreachable:
        return Proof()
    except ValueError:
        return Proof(again=False)


def _with_waba(graph: Graph, given: Credentials) -> Proof:
    if not given.waba_id:
        return Proof(number=True, again=False)
    try:
        mine = graph.waba_phone_numbers(given.waba_id)
    except GraphError as error:
        return Proof(number=True, again=not refuses(error))
    except GraphUnreachable:
        return Proof(number=True)
    owns = any(str(one.get("id")) == given.phone_number_id for one in mine)
    return Proof(number=True, waba_id=given.waba_id if owns else "", again=False)


def shows(facts: dict[str, object], phone_number_id: str) -> bool:
    """Tell whether Meta's answer is about this number, and not about something else that anybody may see."""
    return str(facts.get("id")) == phone_number_id and bool(facts.get("display_phone_number"))


def refuses(error: GraphError) -> bool:
    """Tell whether Meta said no to the token, rather than that it has no time now."""
    return error.meta.outcome is Outcome.HOLD_CREDENTIALS


def note(number: Number, waba_id: str | None) -> bool:
    """Note that a check's answer showed the number; ``waba_id`` as in ``connections.prove``.

    False: another account has shown it, too, and Meta still answers to that one's token.
    """
    try:
        fresh = connections.prove(number, waba_id=waba_id)
    except Refusal:
        rival = connections.holder(number.phone_number_id)
        if rival is not None and not _gives_way(rival, number.account_id):
            return False
        try:
            fresh = connections.prove(number, waba_id=waba_id)
        except Refusal:
            return False
    if fresh:
        # What Meta reported in between was set aside, and is applied now. A number that was saved before
        # the moment was kept has none.
        archive.again(
            since=number.credentials_at or number.created_at,
            until=timezone.now(),
            unfinished=True,
            waiting_for=number.phone_number_id,
        )
    return True


def taken(connection_id: uuid.UUID, sealed_token: str) -> None:
    """Note that Meta took a message from a number that had not been proven: that shows it as well."""
    number = Number.objects.filter(pk=connection_id, access_token_sealed=sealed_token).first()
    if number is not None and not note(number, None):
        log.warning("a number that another account has proven sends", connection=str(number.pk))


def _ask_to_save(account: Account, given: Credentials) -> Proof:
    proof = ask(given)
    if proof.number:
        rival = connections.holder(given.phone_number_id)
        if rival is not None:
            _gives_way(rival, account.pk)
    return proof


def _gives_way(rival: Number, account_id: uuid.UUID) -> bool:
    """Ask Meta whether an older proof still holds; when it refuses that token, the proof is taken back."""
    if rival.account_id == account_id:
        return False
    try:
        now = ask(Credentials(rival.access_token, rival.phone_number_id, None, rival.app_secret or None))
    except CannotOpen:
        return False
    if now.number or now.again:
        return False
    log.warning("a proof was taken back: Meta refuses its token", connection=str(rival.pk))
    connections.withdraw(rival)
    return True


def _graph(token: Secret, app_secret: Secret | None) -> Graph:
    return Graph(
        settings.META_GRAPH_URL, settings.META_GRAPH_VERSION, token, app_secret, timeout=TIMEOUT_SECONDS
    )
