"""Logs: one JSON line (or a readable one) per event, with the correlation id, and no secret in it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Meta tokens, our own keys, Stripe's, webhook secrets, bearer headers. Masked by shape wherever they
# turn up, also in the text of a library's exception, where no field name could warn us.
_SECRET_SHAPES = re.compile(
    r"EAA[A-Za-z0-9]{16,}|\b(?:sk|mk|rk|pk)_(?:live|test)_[A-Za-z0-9_]{8,}|\bwhsec_[A-Za-z0-9+/=]{8,}"
    r"|(?<=access_token=)[^&\s\"']+|(?<=(?i:bearer) )[A-Za-z0-9._~+/=-]{8,}"
)
_LONGEST = 2000  # characters of any one value; a hostile name must not fill the disk


def redact(text: str) -> str:
    """Mask everything in ``text`` that looks like a credential."""
    return _SECRET_SHAPES.sub("[secret]", text)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)[:_LONGEST]  # cut afterwards: half a token has no shape to be known by
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    if value is None or isinstance(value, int | float):
        return value
    return redact(repr(value))[:_LONGEST]  # what the renderer would write of it anyway


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _clean(value)
    return event


def _shorten_traceback(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # The end of a traceback names the fault; the beginning is the framework.
    trace = event.get("exception")
    if isinstance(trace, str) and len(trace) > _LONGEST:
        event["exception"] = "…" + redact(trace)[-_LONGEST:]
    return event


class _WithTraceback(logging.Filter):
    """Lets only records pass that carry an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info)


def logging_config(*, fmt: str, level: str) -> None:
    """Send structlog's and the standard library's events through one formatter to standard error.

    ``fmt`` is ``json`` or ``console``.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _shorten_traceback,
        _redact_event,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=False)
        if fmt == "console"
        else structlog.processors.JSONRenderer(ensure_ascii=True)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # One line per request would double the logs of the access log in front of us.
    logging.getLogger("django.server").setLevel("WARNING")
    # A client's mistake is the client's news; only what went wrong here is logged.
    requests = logging.getLogger("django.request")
    requests.setLevel("ERROR")
    # An API view's 500 was logged where it happened, with its correlation id; Django would repeat it
    # without one when the request is over.
    requests.filters = [_WithTraceback()]
    # Stripe's library tells every request twice; what matters is logged where the answer is used.
    logging.getLogger("stripe").setLevel("WARNING")
    logging.getLogger("celery.app.trace").setLevel("WARNING")
    logging.getLogger("celery.worker.strategy").setLevel("WARNING")
    logging.getLogger("celery.beat").setLevel("WARNING")
