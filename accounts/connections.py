"""A number's credentials: saved, replaced, removed; never given back."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Account, Agent, Connection
from config.errors import Refusal
from config.secret import Secret
from config.sql import Columns, rows

#: what a number that was held resumes with, as a part of its full rate
RESUME_WITH = 0.1


_NUMBER = Columns(Connection, "c")
_DEFAULT = " ".join([
    "SELECT", _NUMBER.sql, "FROM", Connection._meta.db_table, "c",
    "WHERE c.account_id = %s AND c.is_default AND c.removed_at IS NULL",
])  # fmt: skip


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
    the optional parts. Another number becomes a new row, and the old one is emptied and kept for its
    messages. Raises ``Refusal`` (``conflict``) when another account has the number (W51).
    """
    try:
        with transaction.atomic():
            # One writer at a time per account; two parallel PUTs end as the later one.
            Account.objects.select_for_update(of=("self",), no_key=True).get(pk=account.pk)
            held = (
                account.connections.select_for_update(no_key=True)
                .filter(is_default=True, removed_at=None)
                .first()
            )
            if held is not None and held.phone_number_id != phone_number_id:
                _empty(held)
                held = None
            connection = held or Connection(
                account=account,
                agent=Agent.objects.get(account=account, is_default=True),
                phone_number_id=phone_number_id,
            )
            connection.access_token = access_token
            if app_secret is not None:
                connection.app_secret = app_secret
            if waba_id is not None:
                connection.waba_id = waba_id
            if connection.status == Connection.Status.HELD:
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
    except IntegrityError:
        raise Refusal(
            "conflict",
            "This phone number id is connected to another account. Remove it there first.",
        ) from None
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
