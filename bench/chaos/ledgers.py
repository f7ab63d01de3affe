"""Four ledgers side by side: what customers were promised, what the database says, what Meta took, and
what the trigger in the database saw. The words are those of docs/reliability.md."""

from __future__ import annotations

import bisect
import itertools
import json
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts.vault import KeyRing
from bench.chaos import history, invariants
from bench.chaos.load import ClientLedger
from bench.chaos.meta import Taken
from bench.chaos.plan import Plan
from bench.chaos.receiver import judge
from bench.chaos.stack import Stack

OPEN = {"scheduled", "queued", "retrying", "submitting", "unknown"}
#: ends that customers are told of
TOLD = {"sent", "delivered", "read", "failed", "canceled"}
#: kinds that are never sent again after a lost answer
NEVER_REPEATED = {"authentication"}


@dataclass
class Outcome:
    """The result of a run; ``holds`` is the whole pass rule."""

    acked: int = 0
    rows: int = 0
    meta_unique: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    regressed: list[str] = field(default_factory=list)
    #: failed as poison, though nothing in the load is: our own deaths were counted against a message
    poisoned: list[str] = field(default_factory=list)
    inbound_missing: list[str] = field(default_factory=list)
    inbound_doubled: list[str] = field(default_factory=list)
    webhooks_missing: list[str] = field(default_factory=list)
    webhooks_doubled: list[str] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    #: allowed, but worth knowing
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Tell whether every count that must be zero is."""
        lists = (self.lost, self.doubled, self.unexpected, self.stuck, self.regressed, self.poisoned)
        inbound = (self.inbound_missing, self.inbound_doubled)
        return not any((*lists, *inbound, self.webhooks_missing, self.webhooks_doubled, self.broken))

    def line(self) -> str:
        """Return the count line."""
        return (
            f"acked={self.acked} rows={self.rows} meta_unique={self.meta_unique} lost={len(self.lost)} "
            f"doubled={len(self.doubled)} unexpected={len(self.unexpected)} stuck={len(self.stuck)} "
            f"regressed={len(self.regressed)} webhooks_missing={len(self.webhooks_missing)} "
            f"webhooks_doubled={len(self.webhooks_doubled)} poisoned={len(self.poisoned)} "
            f"inbound_missing={len(self.inbound_missing)} inbound_doubled={len(self.inbound_doubled)} "
            f"invariants_broken={len(self.broken)}"
        )


def compare(stack: Stack, client: ClientLedger) -> Outcome:
    """Read the database and Meta's ledger and hold them against the customers'."""
    lines = stack.meta.ledger()
    with stack.servers.database() as connection:
        rows = {
            str(ident): (status, failure, attempts)
            for ident, status, failure, attempts in connection.execute(
                "SELECT id, status, failure, attempts FROM messaging_message WHERE direction = 'out'"
            )
        }
        inbound = Counter(
            wamid
            for (wamid,) in connection.execute("SELECT wamid FROM messaging_message WHERE direction = 'in'")
        )
        numbered = Counter(
            number
            for (number,) in connection.execute(
                "SELECT metadata->>'n' FROM messaging_message WHERE direction = 'out'"
            )
        )
        heard = _heard(connection, KeyRing.from_texts([stack.children.env["CREDENTIALS_KEYS"]]))
        written = [
            f"evt_{ident.hex}" for (ident,) in connection.execute("SELECT id FROM webhooks_event").fetchall()
        ]
        parked = connection.execute(
            "SELECT left(parked->0->>'reason', 120), count(*) FROM webhooks_inboundevent "
            "WHERE parked <> '[]' GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
        ).fetchall()
        waiting = [
            f"{attempts} attempts, last {last or 'without an answer'}, due in {due:.0f} s"
            for attempts, last, due in connection.execute(
                "SELECT attempts, last_status, extract(epoch FROM due_at - now()) FROM webhooks_delivery "
                "WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 10"
            )
        ]
        regressed = history.regressed(connection)
        decided = history.decided(connection)
        plan = stack.plan
        broken = invariants.broken(connection.cursor(), lease=plan.lease, unknown_wait=plan.unknown_wait)
    outcome = Outcome(acked=len(client.acked), rows=len(rows), broken=broken)
    at_meta: dict[str, list[Taken]] = defaultdict(list)
    for line in lines:
        at_meta[line.ref].append(line)
    outcome.meta_unique = len(at_meta)
    _judge_sends(outcome, client, rows, at_meta, _allowed(plan, client, decided, heard))
    outcome.regressed = [f"{ident}: {was} → {became}" for ident, was, became in regressed]
    outcome.doubled += [f"key {one}: {numbered[one]} rows" for one in client.keyed if numbered[one] > 1]
    _judge_inbound(outcome, client, inbound, heard)
    finals = {ident: status for ident, (status, _, _) in rows.items() if status in TOLD}
    outcome.webhooks_missing, outcome.webhooks_doubled = judge(stack.receiver, written, finals)
    outcome.notes |= {
        "webhooks": f"{len(stack.receiver.bodies)} events in {stack.receiver.attempts.total()} attempts",
        "statuses": dict(Counter(status for status, _, _ in rows.values())),
        "failures": dict(Counter(failure for _, failure, _ in rows.values() if failure)),
        "recovered": sum(1 for ident in rows if ident not in client.acked),
        "callbacks set aside": dict(parked),
        "deliveries that wait": waiting,
        "client errors": dict(client.errors),
        "seconds until Meta heard of us again after a crash of": _recoveries(stack, lines),
        "duplicate suspected": stack.children.count_in_logs("duplicate suspected"),
        "processes that failed by themselves": stack.children.failures(),
    }
    return outcome


def _recoveries(stack: Stack, lines: list[Taken]) -> dict[str, str]:
    """Return, per server, the median and the longest time from its being ready to the next accepted send."""
    accepted = sorted(line.at for line in lines)
    waits: dict[str, list[float]] = defaultdict(list)
    for name, ready in stack.ready_again:
        after = bisect.bisect(accepted, ready)
        if after < len(accepted):
            waits[name].append(accepted[after] - ready)
    return {
        name: f"median {statistics.median(found):.2f}, longest {max(found):.2f} ({len(found)} crashes)"
        for name, found in waits.items()
    }


def _judge_sends(
    outcome: Outcome,
    client: ClientLedger,
    rows: dict[str, tuple[str, str, int]],
    at_meta: dict[str, list[Taken]],
    allowed: Counter[str],
) -> None:
    by_rule = 0
    for ident in client.acked:
        row = rows.get(ident)
        if row is None:
            outcome.lost.append(f"{ident}: acknowledged, but there is no row")
        elif ident not in at_meta and row[0] not in ("failed", "canceled"):
            outcome.lost.append(f"{ident}: {row[0]}, but Meta never had it")
    for ident, (status, failure, attempts) in rows.items():
        if status in OPEN:
            outcome.stuck.append(f"{ident}: still {status}")
        if failure == "poison":
            outcome.poisoned.append(f"{ident}: after {attempts} calls")
    for ident, accepted in at_meta.items():
        if ident not in rows:
            outcome.unexpected.append(f"{ident}: at Meta without a row")
        elif ident in client.canceled:
            outcome.unexpected.append(f"{ident}: cancelled, and sent all the same")
        if len(accepted) > 1:
            by_rule += min(len(accepted) - 1, allowed[ident])
            if len(accepted) - 1 > allowed[ident]:
                gaps = ", ".join(f"{b.at - a.at:.1f} s" for a, b in itertools.pairwise(accepted))
                outcome.doubled.append(f"{ident}: {len(accepted)} times at Meta, apart {gaps}")
    unknown_at_meta = sum(1 for i, row in rows.items() if row[1] == "outcome_unknown" and i in at_meta)
    outcome.notes["sent again by the rule"] = by_rule
    outcome.notes["failed as outcome_unknown though Meta had it"] = unknown_at_meta


def _allowed(
    plan: Plan, client: ClientLedger, decided: list[tuple[Any, ...]], heard: dict[str, datetime]
) -> Counter[str]:
    """Count, per message, the times it could be sent again by its own rule: it is not of a kind that must
    never be repeated, the waiting time was over, and our inbox held no report on it."""
    allowed: Counter[str] = Counter()
    for message, at, submitted in decided:
        ident = str(message)
        waited = (at - submitted).total_seconds() if submitted else 0.0
        reported = heard.get(f"hm:{ident}")
        silent = reported is None or (at - reported).total_seconds() < 1
        if client.acked.get(ident) not in NEVER_REPEATED and waited >= plan.unknown_wait - 1 and silent:
            allowed[ident] += 1
    return allowed


def _heard(connection: Any, ring: KeyRing) -> dict[str, datetime]:
    """Return when our inbox first held a word of Meta's about each wamid (inbound ones included), and
    about each of our own references."""
    found: dict[str, datetime] = {}
    for ident, kept, at in connection.execute(
        "SELECT id, raw, received_at FROM webhooks_inboundevent WHERE source = 'meta' ORDER BY received_at"
    ):
        raw = ring.open_bytes(bytes(kept), context=f"callback:{ident}")
        for entry in json.loads(raw).get("entry", []):
            for change in entry.get("changes", []):
                value = change.get("value", {})
                for item in (*value.get("statuses", []), *value.get("messages", [])):
                    found.setdefault(item["id"], at)
                    found.setdefault(item.get("biz_opaque_callback_data", ""), at)
    return found


def _judge_inbound(
    outcome: Outcome, client: ClientLedger, inbound: Counter[str], heard: dict[str, datetime]
) -> None:
    """What Meta dropped on its way cannot be ours; what was answered with 200 must be a row."""
    for wamid in client.inbound:
        if inbound[wamid] == 0 and (wamid in heard or wamid in client.inbound_safe):
            outcome.inbound_missing.append(wamid)
        elif inbound[wamid] > 1:
            outcome.inbound_doubled.append(wamid)
    outcome.notes["inbound"] = len(client.inbound)
