"""The credentials of an account's numbers: saved, replaced, removed; never given back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.credentials import Credentials
from accounts.models import Account, Agent, Connection
from core.errors import Refusal
from core.secret import Secret
from core.sql import Columns, rows

#: what a number that was held resumes with, as a part of its full rate
RESUME_WITH = 0.1
#: told, inside the transaction, of each number that was held and has new credentials; rooms above this one
#: add themselves when they are loaded
when_resumed: list[Callable[[Connection], None]] = []


_NUMBER = Columns(Connection, "c")
_DEFAULT = " ".join([
    "SELECT", _NUMBER.sql, "FROM", Connection._meta.db_table, "c",
    "WHERE c.account_id = %s AND c.is_default AND c.removed_at IS NULL",
])  # fmt: skip


#: for whoever reads an account anyway (as ``a``): its default number's columns, and the join that has them
COLUMNS = _NUMBER
JOIN_DEFAULT = " ".join([
    "LEFT JOIN", Connection._meta.db_table, "c",
    "ON c.account_id = a.id AND c.is_default AND c.removed_at IS NULL",
])  # fmt: skip


def bring(account: Account, values: Sequence[Any]) -> None:
    """Let an account that was read with ``JOIN_DEFAULT`` bring its default number along."""
    account.__dict__["_brought"] = values


def sending_number(account: Account) -> Connection | None:
    """Return the default number, as it was when the account was read if it brought it along.

    For one request's send: who saves credentials and looks again wants ``default_connection``.
    """
    brought = account.__dict__.get("_brought")
    if brought is None:
        return default_connection(account)
    return _NUMBER.make(brought) if brought[0] is not None else None


def default_connection(account: Account) -> Connection | None:
    """Return the number that an account sends from unless it names another."""
    found = rows(_DEFAULT, [account.pk])
    return _NUMBER.make(found[0]) if found else None


_WITH_SECRETS = " ".join([
    "SELECT", _NUMBER.sql, "FROM", Connection._meta.db_table, "c",
    "WHERE c.app_secret_sealed <> '' AND c.removed_at IS NULL",
    "AND (c.callback_key = %s OR c.phone_number_id = ANY(%s) OR c.waba_id = ANY(%s)) LIMIT 50",
])  # fmt: skip


def with_secrets(*, callback_key: str, phones: list[str], wabas: list[str]) -> list[Connection]:
    """Return at most 50 numbers with an app secret of their own that one of the three names.

    Asked for every callback: whose secret may have signed it.
    """
    found = rows(_WITH_SECRETS, [callback_key, phones, wabas])
    return [_NUMBER.make(values) for values in found]


def callback_url(number: Connection | None = None) -> str:
    """Return the address at which Meta reports about a number; without one, the service's common address."""
    common = f"{settings.PUBLIC_URL}/webhooks/whatsapp"
    return f"{common}/{number.callback_key}" if number is not None else common


def save_credentials(
    account: Account,
    *,
    access_token: Secret,
    phone_number_id: str,
    waba_id: str | None = None,
    app_secret: Secret | None = None,
) -> Connection:
    """Store the credentials of the account's default number and return its connection.

    The same number again replaces its token and keeps its history; ``None`` keeps what was saved for
    the optional parts. Another number takes the default one's place, and the old one is emptied and kept
    for its messages. Raises ``Invalid`` for values that cannot be Meta's (``accounts.credentials``),
    ``Refusal`` (``conflict``) when another account has the number (W51).
    """
    given = Credentials(access_token, phone_number_id, waba_id, app_secret)
    with _one_writer(account):
        held = _locked(account).filter(is_default=True).first()
        if held is not None and held.phone_number_id != given.phone_number_id:
            _empty(held)
            held = None
        return _renew(account, held, given, default=True)


def add_number(account: Account, agent: Agent, given: Credentials) -> Connection:
    """Connect one more number to an agent, or renew the credentials of one that the account has.

    The first one becomes the default. Raises ``Refusal`` (``conflict``) when another account has it.
    """
    with _one_writer(account):
        return _renew(
            account, None, given, agent=agent, default=not _locked(account).filter(is_default=True).exists()
        )


@contextmanager
def _one_writer(account: Account) -> Iterator[None]:
    """Let one request at a time change an account's numbers; two parallel ones end as the later one."""
    try:
        with transaction.atomic():
            Account.objects.select_for_update(of=("self",), no_key=True).get(pk=account.pk)
            yield
    except IntegrityError:
        raise Refusal(
            "conflict",
            "This phone number id is connected to another account. Remove it there first.",
        ) from None


def _locked(account: Account) -> QuerySet[Connection]:
    return account.connections.select_for_update(no_key=True).filter(removed_at=None)


def _renew(
    account: Account,
    held: Connection | None,
    given: Credentials,
    *,
    agent: Agent | None = None,
    default: bool,
) -> Connection:
    connection = held or _locked(account).filter(phone_number_id=given.phone_number_id).first()
    if connection is None:
        connection = Connection(account=account, phone_number_id=given.phone_number_id, is_default=False)
        connection.agent = agent or Agent.objects.get(account=account, is_default=True)
    elif agent is not None:
        connection.agent = agent
    connection.is_default = connection.is_default or default
    connection.access_token = given.access_token
    if given.app_secret is not None:
        connection.app_secret = given.app_secret
    if given.waba_id is not None:
        connection.waba_id = given.waba_id
    was_held = connection.status == Connection.Status.HELD
    if was_held:
        # A queue has built up: it comes out slowly at first.
        connection.slowed_to = connection.messages_per_second * RESUME_WITH
        connection.slowed_at = timezone.now()
    connection.paused_until = None
    connection.breaker_open_since = None
    connection.status = Connection.Status.UNVERIFIED
    connection.status_reason = ""
    connection.held_notice_at = None
    connection.checks = []
    connection.verified_at = None
    connection.save()
    if was_held:
        for tell in when_resumed:
            tell(connection)
    return connection


def remove_credentials(account: Account) -> bool:
    """Forget the default number's credentials; tells whether there were any. Safe to repeat."""
    with transaction.atomic():
        connection = (
            Connection.objects.select_for_update()
            .filter(account=account, is_default=True, removed_at=None)
            .first()
        )
        if connection is None:
            return False
        _empty(connection)
        return True


def find_number(account: Account, connection_id: uuid.UUID) -> Connection:
    """Return one of an account's present numbers with its agent. Raises ``Refusal`` (``not_found``)."""
    found = account.connections.select_related("agent").filter(pk=connection_id, removed_at=None).first()
    if found is None:
        raise Refusal("not_found", "No number found with this id.")
    return found


def make_default(account: Account, connection_id: uuid.UUID) -> Connection:
    """Let an account send from this number unless it names another. Raises ``Refusal`` (``not_found``)."""
    with _one_writer(account):
        number = find_number(account, connection_id)
        _locked(account).filter(is_default=True).exclude(pk=number.pk).update(is_default=False)
        number.is_default = True
        number.save(update_fields=["is_default", "updated_at"])
    return number


def remove_number(account: Account, connection_id: uuid.UUID) -> Connection:
    """Forget a number's credentials; what waits for it will fail and say so.

    Raises ``Refusal``: ``not_found``, or ``conflict`` for the default number while there are others.
    """
    with _one_writer(account):
        number = find_number(account, connection_id)
        if number.is_default and _locked(account).exclude(pk=number.pk).exists():
            raise Refusal("conflict", "This is your default number. Make another one the default first.")
        _empty(number)
    return number


def _empty(connection: Connection) -> None:
    connection.access_token_sealed = ""
    connection.app_secret_sealed = ""
    connection.removed_at = timezone.now()
    connection.status = Connection.Status.REMOVED
    connection.status_reason = "The credentials were removed."
    connection.save(
        update_fields=[
            "access_token_sealed",
            "app_secret_sealed",
            "removed_at",
            "status",
            "status_reason",
            "updated_at",
        ]
    )
