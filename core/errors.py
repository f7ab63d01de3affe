"""The one family of anticipated failures; it knows codes and fields, never HTTP.

A core raises a ``Refusal``; each dialect decides which status and which words it becomes. Everything
that is not a ``Refusal`` is a bug: it is logged and answered as an internal error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One faulty field: its path as the client wrote it (``messages[3].to``) and a sentence."""

    field: str
    message: str


class Refusal(Exception):
    """An anticipated no.

    ``code`` is a stable snake_case word; ``message`` a sentence for the person who reads it;
    ``fields`` the faulty fields; ``retry_after`` seconds after which it is worth trying again;
    ``extra`` whatever else a dialect may show (``available_phones``, ``required_scope``, …).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fields: Sequence[FieldError] = (),
        retry_after: int | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = tuple(fields)
        self.retry_after = retry_after
        self.extra = extra


class Invalid(Refusal):
    """The request is malformed; ``fields`` says where.

    ``code`` is a narrower word than ``invalid_request``, for a dialect that has one.
    """

    def __init__(
        self,
        fields: Sequence[FieldError],
        message: str = "Validation failed.",
        *,
        code: str = "invalid_request",
        **extra: Any,
    ) -> None:
        super().__init__(code, message, fields=fields, **extra)


def invalid(field: str, message: str, *, code: str = "invalid_request", **extra: Any) -> Invalid:
    """Build an ``Invalid`` with one faulty field."""
    return Invalid([FieldError(field, message)], code=code, **extra)
