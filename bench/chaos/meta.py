"""The stand-in for Meta as the harness uses it: its ledger, its options, its customers."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Taken:
    """One line of Meta's ledger: a send that it took."""

    ref: str
    wamid: str
    at: float
    status: str


class Meta:
    """The control API of a running sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call ``/_sandbox/<path>``."""
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def options(self, **values: Any) -> None:
        """Change some of the options."""
        self.call("PUT", "options", values)

    def state(self) -> dict[str, Any]:
        """Return the counts of everything."""
        found: dict[str, Any] = self.call("GET", "state")
        return found

    def inbound(self, *, number: str, person: str, text: str) -> str:
        """Let a person write to a number; returns the message's wamid."""
        body = {"phone_number_id": number, "from": person, "type": "text", "text": {"body": text}}
        return str(self.call("POST", "inbound", body)["id"])

    def ledger(self) -> list[Taken]:
        """Return every accepted send, oldest first."""
        lines: list[Taken] = []
        while True:
            page = self.call("GET", f"messages?limit=5000&after={len(lines)}")
            lines += [
                Taken(
                    str(one["biz_opaque_callback_data"] or "").removeprefix("hm:"),
                    one["wamid"],
                    float(one["accepted_at"]),
                    one["status"],
                )
                for one in page["messages"]
            ]
            if len(lines) >= page["count"] or not page["messages"]:
                return lines
