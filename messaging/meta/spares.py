"""Spare numbers to try things with, asked of Meta's address; a laptop's stand-in has some."""

from __future__ import annotations

from dataclasses import dataclass

import requests

_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Spare:
    """What is needed to connect a number, by the names of the forms that take it."""

    access_token: str
    phone_number_id: str
    waba_id: str


def spare_numbers(graph_url: str) -> list[Spare]:
    """Return the numbers that anybody may connect; none when nobody answers or Meta itself does."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{graph_url}/_sandbox/numbers", timeout=_SECONDS, allow_redirects=False)
            rows = answer.json()["numbers"]
            return [
                Spare(str(row["access_token"]), str(row["phone_number_id"]), str(row["waba_id"]))
                for row in rows
                if row["spare"]
            ]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return []
