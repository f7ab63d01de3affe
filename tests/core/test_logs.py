"""The log: one JSON line per event, no credential in it, and nothing a customer can break."""

from __future__ import annotations

import logging

import pytest
import structlog

from core.logs import redact

META = "EAAJB" + "ZC7xq0Abc9" * 10
SECRETS = {
    "a Meta token": META,
    "a short Meta token": "EAA" + "b" * 16,
    "a classic key": "sk_live_" + "0123456789abcdef" * 3,
    "a v1 key": "mk_live_8aB3cDe4FgH5iJ6kLm7nOp_a1b2c3d4e5",
    "a v1 test key": "mk_test_8aB3cDe4FgH5iJ6kLm7nOp_a1b2c3d4e5",
    "a Stripe test key": "sk_test_" + "51Habc" * 8,
    "a restricted Stripe key": "rk_live_" + "51Habc" * 8,
    "a webhook secret": "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD/A==",
}
AROUND = ["{}", "key={}", '{{"token": "{}"}}', "https://x.example/?access_token={}&a=1", "({}),", "\n{}\n"]


@pytest.fixture
def logger() -> structlog.stdlib.BoundLogger:
    return structlog.get_logger("hermod.tests")


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_it_masks_a_credential_by_its_shape(secret, around):
    text = redact(around.format(secret))
    assert "[secret]" in text
    assert secret[8:] not in text


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef0123456789",
        "authorization: bearer abcdef0123456789",
        "AUTHORIZATION: BEARER abcdef0123456789",
        "'Authorization': 'Bearer abcdef0123456789'",
        "?access_token=abcdef0123456789&x=1",
        '?access_token=abcdef0123456789"',
    ],
)
def test_it_masks_what_stands_behind_bearer_and_access_token(text):
    assert "abcdef0123456789" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "message 0190d5a4-7d5e-7abc-8def-0123456789ab sent",
        "EAA is the beginning of a token",
        "the sk_live_ format",
        "a bearer of good news",
        "wamid.HBgLMTQxNTU1NTI2NzEVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA",
    ],
)
def test_it_leaves_everything_else(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    "write",
    [
        lambda logger, secret: logger.info(f"refused {secret}"),
        lambda logger, secret: logger.info("refused %s", secret),
        lambda logger, secret: logger.info("refused", error=secret),
        lambda logger, secret: logger.info("refused", detail={"a": [{"b": secret}]}),
        lambda logger, secret: logger.info("refused", detail=(secret, [secret])),
        lambda logger, secret: logger.info("refused", detail={secret}),
        lambda logger, secret: logger.info("refused", error=ValueError(secret)),
        lambda logger, secret: logger.info("refused", raw=secret.encode()),
        lambda logger, secret: logging.getLogger("library").warning("refused %s", secret),
        lambda logger, secret: logging.getLogger("library").warning("refused %r", {"a": secret}),
        lambda logger, secret: logging.getLogger("library").warning("refused", extra={"a": secret}),
    ],
    ids=[
        "event",
        "argument",
        "value",
        "nested",
        "tuple",
        "set",
        "exception",
        "bytes",
        "library",
        "library repr",
        "extra",
    ],
)
def test_no_credential_reaches_the_log(log, logger, write):
    write(logger, META)
    assert len(log.lines) == 1
    assert META[8:] not in log.text


@pytest.mark.parametrize("name", ["hermod.tests", "library"])
def test_no_credential_reaches_the_log_by_a_traceback(log, name):
    try:
        raise RuntimeError(f"GET https://graph/?access_token={META}")
    except RuntimeError:
        logging.getLogger(name).exception("it broke")
        structlog.get_logger(name).exception("it broke")
    assert len(log.lines) == 2
    assert all("RuntimeError" in line["exception"] for line in log.lines)
    assert META[8:] not in log.text


def leaked(text: str) -> bool:
    """Tell whether 20 letters of the token in a row are in ``text``."""
    return any(META[at : at + 20] in text for at in range(len(META) - 19))


def test_a_credential_is_masked_before_a_long_value_is_cut(log, logger):
    for cut in range(len(META)):
        logger.info("it came", value="x" * (2_000 - cut) + META)
    assert not leaked(log.text)


def test_a_credential_is_masked_before_a_long_traceback_is_cut(log, logger):
    """The cut must not take the prefix off a token and leave its tail unrecognised."""
    for cut in range(30, len(META), 10):
        try:
            raise RuntimeError(META + "x" * (2_000 - cut))
        except RuntimeError:
            logger.exception("it broke")
    assert not leaked(log.text)


HOSTILE = {
    "a line break": "Acme\n2026-01-01 INFO login ok",
    "CRLF": "Acme\r\n{}",
    "a carriage return": "Acme\rINFO",
    "a JSON end": '"}\n{"level":"error"}',
    "ANSI": "\x1b[2J\x1b[31mred",
    "a line separator": "Acme\u2028INFO\u2029INFO\u0085INFO",
    "vertical tab and form feed": "Acme\x0bINFO\x0cINFO",
    "NUL": "Acme\x00INFO",
    "half a surrogate": "Acme\ud800",
    "right to left": "\u202eemcA",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_name_stays_inside_its_line(log, logger, name):
    logger.info("registered", name=name)
    logger.info(f"registered {name}")
    logging.getLogger("library").warning("registered %s", name)
    assert len(log.text.splitlines()) == 3
    assert log.text.isascii()
    assert all(ord(letter) >= 32 or letter == "\n" for letter in log.text)
    first, second, third = log.lines
    assert first["name"] == name
    assert second["event"] == third["event"] == f"registered {name}"


def test_a_long_name_is_cut(log, logger):
    logger.info("registered", name="x" * 1_000_000)
    assert len(log.text) < 4_000


def test_a_line_says_when_where_and_how_bad(log, logger):
    logger.warning("callback refused", count=2)
    (line,) = log.lines
    assert line["event"] == "callback refused"
    assert line["level"] == "warning"
    assert line["logger"] == "hermod.tests"
    assert line["count"] == 2
    assert line["timestamp"].endswith("Z")
