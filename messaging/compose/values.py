"""Values of a template: what WhatsApp refuses in them, and how each is written in a component."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from core.errors import Refusal
from messaging.compose.interactive import link_problem

#: what Meta refuses inside a value (132018)
_BREAKS = re.compile(r"[\n\r\t\v\f\x85\u2028\u2029]")
_WIDE_GAP = " " * 5
_FILE_NAME = re.compile(r"[^\\/:*?\"<>|\x00-\x1f]{1,200}\.[A-Za-z0-9]{1,8}")


def value_problem(value: str) -> str | None:
    """Say why Meta would refuse a value, or None."""
    if not value.strip():
        return "Must not be empty: WhatsApp refuses a template with an empty value."
    if _BREAKS.search(value):
        return "Must not contain line breaks or tabs: WhatsApp refuses them in a template's values."
    if _WIDE_GAP in value:
        return "Must not contain more than 4 spaces in a row: WhatsApp refuses them in a template's values."
    return None


def text_parameter(name: str, value: str, *, named: bool) -> dict[str, Any]:
    """Write one text value as Meta wants it; a named template's with its name."""
    return {"type": "text", **({"parameter_name": name} if named else {}), "text": value}


def media_url_refusals(url: str) -> list[Refusal]:
    """Refuse what is no public https address; whether the file is there, Meta finds out."""
    problem = link_problem(url)
    if problem is None:
        return []
    param = "template.header_media_url"
    return [Refusal("template_header_media_url_invalid", f"header_media_url: {problem}", param=param)]


def media_parameter(kind: str, url: str) -> dict[str, Any]:
    """Write a file by its address; a document gets the name that its address ends with."""
    part = {"link": url}
    if kind == "document":
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        if _FILE_NAME.fullmatch(name):
            part["filename"] = name
    return {"type": kind, kind: part}
