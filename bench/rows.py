"""Accounts, numbers and as many messages as a case needs, written straight into the tables.

A message is copied from one that the product's own model made, column by column, so that a new column
needs no change here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from bench.stack import Stack

#: what a text message is stored as
_BODY = "Hello, World!"
NUMBERS = 10
#: an expression for the recipient of message ``g``
_PHONE = "'1415' || lpad((g %% 10000000)::text, 7, '0')"


def person_of(g: str = "g") -> str:
    """Return an expression for the id of person number ``g`` (itself an expression) of a number's people."""
    return f"md5('person ' || s.n || ' ' || {g})::uuid"


@dataclass(frozen=True)
class Sender:
    """One account with its number and a key."""

    account_id: str
    connection_id: str
    phone_number_id: str
    key: str


class Rows:
    """Writes rows; needs Django to be set up for the database of the stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.database: psycopg.Connection[Any] = stack.connect()
        self.senders: list[Sender] = []
        self._salt = 0

    def close(self) -> None:
        """Close our connection, and Django's."""
        from django.db import connections

        connections.close_all()
        self.database.close()

    # --- customers

    def make_senders(self) -> None:
        """Register ten customers with a number each, through the product's own functions."""
        from accounts import keys
        from accounts.connections import Proof, save_credentials
        from accounts.models import ApiKey, Number
        from accounts.registration import register
        from core.secret import Secret

        for n in range(NUMBERS):
            made = register(name=f"Bench {n}", email=f"bench{n}@example.com", plan="enterprise")
            number = save_credentials(
                made.account,
                access_token=Secret("EAAbench" + "x" * 120),
                phone_number_id=f"70000000000{n}",
                waba_id=f"90000000000{n}",
                proof=Proof(number=True, waba_id=f"90000000000{n}", again=False),
            )
            _, key = keys.issue(made.account, kind=ApiKey.Kind.SK, name="bench")
            ApiKey.objects.filter(account=made.account).update(rate_limit_per_minute=2_000_000_000)
            Number.objects.filter(pk=number.pk).update(status=Number.Status.ACTIVE)
            self.senders.append(
                Sender(str(made.account.pk), str(number.pk), number.phone_number_id, key.reveal())
            )
        self._make_pattern()

    def _make_pattern(self) -> None:
        """Store the message that all others are copied from; nothing is ever due of it."""
        from django.utils import timezone

        from messaging.models import Message, Status

        sender = self.senders[0]
        pattern = Message.objects.create(
            account_id=sender.account_id,
            connection_id=sender.connection_id,
            source=Message.Source.CLASSIC,
            recipient="14155550000",
            type="text",
            body=_BODY,
            content={"type": "text", "text": {"body": _BODY}},
            status=Status.CANCELED,
            sequence=1,
            created_at=timezone.now(),
        )
        self.database.execute("CREATE SCHEMA bench")
        self.database.execute("CREATE TABLE bench.pattern AS SELECT * FROM messaging_message")
        self.database.execute(
            "CREATE TABLE bench.sender AS SELECT row_number() OVER (ORDER BY phone_number_id) - 1 AS n, "
            "id AS connection_id, account_id FROM accounts_connection"
        )
        pattern.delete()
        self._columns = [
            name
            for (name,) in self.database.execute(
                "SELECT column_name FROM information_schema.columns "
                "WHERE table_name = 'messaging_message' AND table_schema = 'public' ORDER BY ordinal_position"
            )
        ]

    # --- messages

    def history(self, count: int = 5_000) -> None:
        """Store messages of earlier days, so that plans are made for a table that is in use.

        On an empty table Postgres plans to read it whole, and keeps to that until statistics come.
        """
        self.messages(
            count,
            events=3,
            status="'delivered'",
            sent_at="now()",
            wamid="'wamid.HISTORY' || md5(g::text)",
            created_at="now() - interval '3 days'",
        )

    def clear(self) -> None:
        """Forget every message, contact and callback; numbers may send at once and are not held."""
        self.database.execute(
            "TRUNCATE messaging_message, messaging_messageevent, messaging_contact, messaging_tally, "
            "webhooks_inboundevent, messaging_orphanstatus, messaging_batch CASCADE"
        )
        self.numbers()

    def numbers(self, *, rate: float = 1000, held: bool = False) -> None:
        """Set what every number may send."""
        self.database.execute(
            "UPDATE accounts_connection SET messages_per_second = %s, status = %s, next_slot_at = NULL, "
            "paused_until = NULL, slowed_to = NULL, slowed_at = NULL, breaker_open_since = NULL",
            [rate, "held" if held else "active"],
        )

    def settle(self) -> None:
        """Let the tables look as they do after a while: statistics, no unwritten pages."""
        for table in ("messaging_message", "messaging_messageevent", "messaging_contact"):
            self.database.execute(f"VACUUM (ANALYZE) {table}")
        self.database.execute("ANALYZE accounts_connection")
        self.database.execute("CHECKPOINT")

    def contacts(self, count: int, *, numbers: int = NUMBERS) -> None:
        """Store the people that ``messages(…, people=True)`` of the same count goes to."""
        self.database.execute(
            "INSERT INTO messaging_contact (id, account_id, connection_id, phone, profile_name, created_at) "
            f"SELECT {person_of()}, s.account_id, s.connection_id, {_PHONE}, '', now() "
            "FROM generate_series(0, %s::bigint) g JOIN bench.sender s ON s.n = g %% %s",
            [count - 1, numbers],
        )

    def messages(
        self,
        count: int,
        *,
        numbers: int = NUMBERS,
        events: int = 1,
        people: bool = False,
        **columns: str,
    ) -> None:
        """Store ``count`` messages over the first ``numbers`` numbers, each to another person.

        With ``people`` they belong to conversations, which ``contacts`` must have stored. ``columns``
        are SQL expressions in which ``g`` counts the messages; what is not named is as in the pattern.
        ``events`` is the number of timeline entries of each.
        """
        self._salt += 1
        mine = {
            "id": _uuid7(f"'{self._salt}:' || g"),
            "account_id": "s.account_id",
            "connection_id": "s.connection_id",
            "recipient": _PHONE,
            "contact_id": person_of() if people else "NULL",
            "created_at": "now()",
            "expires_at": "now() + interval '40 days'",
            "sequence": str(events),
            **columns,
        }
        chosen = ", ".join(mine.get(name, f"p.{name}") for name in self._columns)
        entries = "".join(
            f", entry{place} AS (INSERT INTO messaging_messageevent "
            "(message_id, sequence, status, at, recorded_at) "
            f"SELECT id, {place}, '{status}', now(), now() FROM fresh)"
            for place, status in enumerate(("queued", "sent", "delivered")[:events], 1)
        )
        part = 250_000
        for first in range(0, count, part):
            self.database.execute(
                f"WITH fresh AS (INSERT INTO messaging_message ({', '.join(self._columns)}) "
                f"SELECT {chosen} FROM generate_series(%s::bigint, %s::bigint) g "
                "JOIN bench.sender s ON s.n = g %% %s CROSS JOIN bench.pattern p RETURNING id)"
                f"{entries} SELECT 1",
                [first, min(first + part, count) - 1, numbers],
            )

    def accept_statement(self) -> str:
        """Return the one statement that writes what one accept must: the message and its first entry."""
        sender = self.senders[0]
        mine = {
            "id": "gen_random_uuid()",
            "account_id": f"'{sender.account_id}'",
            "connection_id": f"'{sender.connection_id}'",
            "status": "'queued'",
            "created_at": "now()",
            "due_at": "now() + interval '1 day'",
        }
        chosen = ", ".join(mine.get(name, f"p.{name}") for name in self._columns)
        return (
            f"WITH fresh AS (INSERT INTO messaging_message ({', '.join(self._columns)}) "
            f"SELECT {chosen} FROM bench.pattern p RETURNING id) "
            "INSERT INTO messaging_messageevent (message_id, sequence, status, at, recorded_at) "
            "SELECT id, 1, 'queued', now(), now() FROM fresh"
        )

    def one(self, query: str, *values: Any) -> Any:
        """Return the first column of the first row."""
        row = self.database.execute(query, values or None).fetchone()
        return row[0] if row else None


def _uuid7(text: str) -> str:
    """Return an expression for a UUID that sorts by ``g`` like the product's own."""
    digits = f"md5({text})"
    return (
        "(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint + g / 20), 12, '0') "
        f"|| '7' || substr({digits}, 1, 3) || '8' || substr({digits}, 4, 15))::uuid"
    )
