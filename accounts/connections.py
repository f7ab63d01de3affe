"""The credentials of an account's numbers: saved, replaced, removed; never given back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import vault
from accounts.credentials import Credentials
from accounts.models import Account, Agent, Number
from core.errors import Refusal
from core.secret import Secret
from core.sql import Columns, rows

#: what a number that was held resumes with, as a part of its full rate
RESUME_WITH = 0.1
#: said only to who has shown that the number is theirs as well
TAKEN = "This phone number id is connected to another account. Remove it there first."
#: told, inside the transaction, of each number that was held and has new credentials; apps above this one
#: add themselves when they are loaded
when_resumed: list[Callable[[Number], None]] = []


_NUMBER = Columns(Number, "c")
_DEFAULT = " ".join([
    "SELECT", _NUMBER.sql, "FROM", Number._meta.db_table, "c",
    "WHERE c.account_id = %s AND c.is_default AND c.removed_at IS NULL",
])  # fmt: skip


#: for whoever reads an account anyway (as ``a``): its default number's columns, and the join that has them
COLUMNS = _NUMBER
JOIN_DEFAULT = " ".join([
    "LEFT JOIN", Number._meta.db_table, "c",
    "ON c.account_id = a.id AND c.is_default AND c.removed_at IS NULL",
])  # fmt: skip


def bring(account: Account, values: Sequence[Any]) -> None:
    """Let an account that was read with ``JOIN_DEFAULT`` bring its default number along."""
    account.__dict__["_brought"] = values


def sending_number(account: Account) -> Number | None:
    """Return the default number, as it was when the account was read if it brought it along.

    For one request's send: who saves credentials and looks again wants ``default_number``.
    """
    brought = account.__dict__.get("_brought")
    if brought is None:
        return default_number(account)
    return _NUMBER.make(brought) if brought[0] is not None else None


def default_number(account: Account) -> Number | None:
    """Return the number that an account sends from unless it names another."""
    found = rows(_DEFAULT, [account.pk])
    return _NUMBER.make(found[0]) if found else None


_WITH_SECRETS = " ".join([
    "SELECT", _NUMBER.sql, "FROM", Number._meta.db_table, "c",
    "WHERE c.app_secret_sealed <> '' AND c.removed_at IS NULL",
    "AND (c.callback_key = %s OR c.phone_number_id = ANY(%s) OR c.waba_id = ANY(%s))",
    "ORDER BY c.proven_at IS NULL, c.id LIMIT 50",
])  # fmt: skip


def with_secrets(*, callback_key: str, phones: list[str], wabas: list[str]) -> list[Number]:
    """Return at most 50 numbers with an app secret of their own that one of the three names.

    Asked for every callback: whose secret may have signed it. Proven ones come first, so that many who
    merely name a number cannot crowd out the one who has it.
    """
    found = rows(_WITH_SECRETS, [callback_key, phones, wabas])
    return [_NUMBER.make(values) for values in found]


def callback_url(number: Number | None = None) -> str:
    """Return the address at which Meta reports about a number; without one, the service's common address."""
    common = f"{settings.PUBLIC_URL}/webhooks/whatsapp"
    return f"{common}/{number.callback_key}" if number is not None else common


@dataclass(frozen=True, slots=True)
class Proof:
    """What Meta's answer to a token showed: whether it reaches the number, and the account that owns it.

    ``again``: Meta could not be asked, or not about everything, so it is asked later (``proof_due_at``).
    """

    number: bool = False
    waba_id: str = ""
    again: bool = True


#: nobody has asked Meta yet
NOT_ASKED = Proof()


def save_credentials(
    account: Account,
    *,
    access_token: Secret,
    phone_number_id: str,
    waba_id: str | None = None,
    app_secret: Secret | None = None,
    proof: Proof = NOT_ASKED,
) -> Number:
    """Store the credentials of the account's default number and return it.

    The same number again replaces its token and keeps its history, its callback address and its verify
    token, also after it was removed; ``None`` keeps what was saved for the optional parts. Another number
    takes the default one's place, and the old one is emptied and kept for its messages. Raises ``Invalid``
    for values that cannot be Meta's (``accounts.credentials``), and ``Refusal`` (``conflict``) when
    ``proof`` shows the number and another account has proven it, too (W51); without a proof the number is
    only named, which neither helps nor hinders.
    """
    given = Credentials(access_token, phone_number_id, waba_id, app_secret)
    with _one_writer(account):
        held = _locked(account).filter(is_default=True).first()
        if held is not None and held.phone_number_id != given.phone_number_id:
            _empty(held)
            held = None
        return _renew(account, held, given, proof, default=True)


def add_number(account: Account, agent: Agent, given: Credentials, proof: Proof = NOT_ASKED) -> Number:
    """Connect one more number to an agent, or renew the credentials of one that the account has.

    The first one becomes the default. Raises ``Refusal`` (``conflict``) as ``save_credentials`` does.
    """
    with _one_writer(account):
        first = not _locked(account).filter(is_default=True).exists()
        return _renew(account, None, given, proof, agent=agent, default=first)


@contextmanager
def _one_writer(account: Account) -> Iterator[None]:
    """Let one request at a time change an account's numbers; two parallel ones end as the later one."""
    try:
        with transaction.atomic():
            Account.objects.select_for_update(of=("self",), no_key=True).get(pk=account.pk)
            yield
    except IntegrityError:
        raise Refusal("conflict", TAKEN) from None


def _locked(account: Account) -> QuerySet[Number]:
    return account.connections.select_for_update(no_key=True).filter(removed_at=None)


def _removed(account: Account, phone_number_id: str) -> Number | None:
    """Return the row that a number of this account had before it was removed; the last one of several."""
    gone = account.connections.select_for_update(no_key=True).filter(phone_number_id=phone_number_id)
    return gone.exclude(removed_at=None).order_by("-removed_at").first()


def _renew(
    account: Account,
    held: Number | None,
    given: Credentials,
    proof: Proof,
    *,
    agent: Agent | None = None,
    default: bool,
) -> Number:
    number = held or _locked(account).filter(phone_number_id=given.phone_number_id).first()
    if number is None and (number := _removed(account, given.phone_number_id)) is not None:
        # Meta was told its address and verify token, which is work that nobody wants to do twice.
        number.removed_at, number.waba_id = None, ""
        number.is_default, number.is_active = False, True
    if number is None:
        number = Number(account=account, phone_number_id=given.phone_number_id, is_default=False)
        number.agent = agent or Agent.objects.get(account=account, is_default=True)
    elif agent is not None:
        number.agent = agent
    number.is_default = number.is_default or default
    _note(number, given, proof)
    number.access_token = given.access_token
    if given.app_secret is not None:
        number.app_secret = given.app_secret
    if given.waba_id is not None:
        number.waba_id = given.waba_id
    was_held = number.status == Number.Status.HELD
    if was_held:
        # A queue has built up: it comes out slowly at first.
        number.slowed_to = number.messages_per_second * RESUME_WITH
        number.slowed_at = timezone.now()
    number.paused_until = None
    number.breaker_open_since = None
    number.status = Number.Status.UNVERIFIED
    number.status_reason = ""
    number.held_notice_at = None
    number.checks = []
    number.verified_at = None
    number.save()
    if was_held:
        for tell in when_resumed:
            tell(number)
    return number


def _note(number: Number, given: Credentials, proof: Proof) -> None:
    """Let a claim stand on what is known of its new token alone; what the old one had shown is over."""
    now = timezone.now()
    if not proof.number and proof.again and _has_token(number, given.access_token):
        number.proof_due_at = now
        return
    number.proven_at = now if proof.number else None
    number.proven_waba_id = proof.waba_id if proof.number else ""
    number.proof_due_at = now if proof.again else None
    number.credentials_at = now


def _has_token(number: Number, token: Secret) -> bool:
    try:
        return number.access_token == token
    except vault.CannotOpen:
        return False


def prove(number: Number, *, waba_id: str | None) -> bool:
    """Note that Meta's answer to a number's token showed the number, and which WhatsApp account owns it.

    ``waba_id`` None: that could not be asked. Returns whether the number had not been proven before; never
    True when other credentials were saved meanwhile. Raises ``Refusal`` (``conflict``) when another account
    has proven it (W51).
    """
    mine = Number.objects.filter(
        pk=number.pk, access_token_sealed=number.access_token_sealed, removed_at=None
    )
    if waba_id is not None:
        mine.update(proven_waba_id=waba_id, proof_due_at=None)
    try:
        with transaction.atomic():
            fresh = mine.filter(proven_at=None).update(proven_at=timezone.now())
    except IntegrityError:
        raise Refusal("conflict", TAKEN) from None
    return bool(fresh)


def holder(phone_number_id: str) -> Number | None:
    """Return the number whose account has proven this id, if there is one."""
    return Number.objects.filter(
        phone_number_id=phone_number_id, removed_at=None, proven_at__isnull=False
    ).first()


def withdraw(number: Number) -> None:
    """Take the proof back from a number whose token Meta refuses, unless another one was saved meanwhile."""
    mine = Number.objects.filter(pk=number.pk, access_token_sealed=number.access_token_sealed)
    mine.update(proven_at=None, proven_waba_id="", proof_due_at=None)


def remove_credentials(account: Account) -> bool:
    """Forget the default number's credentials; tells whether there were any. Safe to repeat."""
    with transaction.atomic():
        number = (
            Number.objects.select_for_update()
            .filter(account=account, is_default=True, removed_at=None)
            .first()
        )
        if number is None:
            return False
        _empty(number)
        return True


def find_number(account: Account, connection_id: uuid.UUID) -> Number:
    """Return one of an account's present numbers with its agent. Raises ``Refusal`` (``not_found``)."""
    found = account.connections.select_related("agent").filter(pk=connection_id, removed_at=None).first()
    if found is None:
        raise Refusal("not_found", "No number found with this id.")
    return found


def make_default(account: Account, connection_id: uuid.UUID) -> Number:
    """Let an account send from this number unless it names another. Raises ``Refusal`` (``not_found``)."""
    with _one_writer(account):
        number = find_number(account, connection_id)
        _locked(account).filter(is_default=True).exclude(pk=number.pk).update(is_default=False)
        number.is_default = True
        number.save(update_fields=["is_default", "updated_at"])
    return number


def remove_number(account: Account, connection_id: uuid.UUID) -> Number:
    """Forget a number's credentials; what waits for it will fail and say so.

    Raises ``Refusal``: ``not_found``, or ``conflict`` for the default number while there are others.
    """
    with _one_writer(account):
        number = find_number(account, connection_id)
        if number.is_default and _locked(account).exclude(pk=number.pk).exists():
            raise Refusal("conflict", "This is your default number. Make another one the default first.")
        _empty(number)
    return number


def _empty(number: Number) -> None:
    number.access_token_sealed = ""
    number.app_secret_sealed = ""
    number.removed_at = timezone.now()
    number.status = Number.Status.REMOVED
    number.status_reason = "The credentials were removed."
    number.save(
        update_fields=[
            "access_token_sealed",
            "app_secret_sealed",
            "removed_at",
            "status",
            "status_reason",
            "updated_at",
        ]
    )
