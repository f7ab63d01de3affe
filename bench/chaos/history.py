"""A witness of its own inside the database: every change of a message's status, written by a trigger."""

from __future__ import annotations

from typing import Any

_INSTALL = """
CREATE TABLE IF NOT EXISTS chaos_history (
    id bigserial PRIMARY KEY, message_id uuid NOT NULL, was text NOT NULL, failure text NOT NULL,
    became text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE OR REPLACE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_history (message_id, was, failure, became)
    VALUES (NEW.id, OLD.status, OLD.failure, NEW.status);
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS chaos_note ON messaging_message;
CREATE TRIGGER chaos_note AFTER UPDATE OF status ON messaging_message
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION chaos_note();
"""
# A failure that was only our conclusion (nobody reported, too late, poison) may be undone by Meta's proof.
_REGRESSED = """
WITH ranked(status, rank) AS (VALUES ('scheduled', 0), ('queued', 0), ('retrying', 0), ('submitting', 0),
    ('unknown', 0), ('sent', 1), ('failed', 2), ('delivered', 3), ('read', 4), ('canceled', 9))
SELECT h.message_id, h.was, h.became FROM chaos_history h
JOIN ranked was ON was.status = h.was JOIN ranked became ON became.status = h.became
WHERE became.rank < was.rank
  AND NOT (h.was = 'failed' AND became.rank > 0 AND h.failure IN ('outcome_unknown', 'expired', 'poison'))
"""
# When nobody had reported within the waiting time, and the message's rule allowed another send.
_DECIDED = """
SELECT h.message_id, h.at, (SELECT max(s.at) FROM chaos_history s
    WHERE s.message_id = h.message_id AND s.became = 'submitting' AND s.id < h.id)
FROM chaos_history h WHERE h.was = 'unknown' AND h.became = 'retrying'
"""


def install(connection: Any) -> None:
    """Put the witness into the run's own database."""
    connection.execute(_INSTALL)


def regressed(connection: Any) -> list[tuple[Any, ...]]:
    """Return every change that went back: (message, from, to)."""
    found: list[tuple[Any, ...]] = connection.execute(_REGRESSED).fetchall()
    return found


def decided(connection: Any) -> list[tuple[Any, ...]]:
    """Return every decision to send again: (message, when, when it had last been handed over)."""
    found: list[tuple[Any, ...]] = connection.execute(_DECIDED).fetchall()
    return found
