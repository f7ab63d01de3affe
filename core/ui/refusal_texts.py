"""Refusal texts: the cores' sentences in the reader's language.

A core writes English and knows no reader. Pages put what it said through ``translated``, which looks it up in
``locale/<language>/cores.json``: English to translation, with ``%(name)s`` where a sentence has a gap.
The English one holds what a person reads instead of "POST /…". What has no translation stays English. The
APIs' answers never pass here.
"""

from __future__ import annotations

import json
import re
from functools import cache

from django.conf import settings
from django.utils import translation

_GAP = re.compile(r"%\((\w+)\)s")
#: keep a Latin word or a number in one piece inside of a sentence that reads from right to left
_APART = "\u2068{}\u2069"


@cache
def _words(language: str) -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Read a language's sentences: those without gaps, and the others as patterns, the most telling first."""
    path = settings.BASE_DIR / "locale" / language / "cores.json"
    if not path.exists():
        return {}, []
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    whole = {english: said for english, said in found.items() if not _GAP.search(english)}
    gapped = sorted(set(found) - set(whole), key=lambda english: -len(_GAP.sub("", english)))
    return whole, [(_pattern(english), found[english]) for english in gapped]


def _pattern(english: str) -> re.Pattern[str]:
    parts = _GAP.split(english)
    return re.compile(
        "".join(f"(?P<{one}>.*?)" if index % 2 else re.escape(one) for index, one in enumerate(parts)),
        re.DOTALL,
    )


def translated(text: str) -> str:
    """Return what a core said in the language of whoever reads it; as it is when nobody translated it."""
    whole, patterns = _words(translation.get_language() or settings.LANGUAGE_CODE)
    if text in whole:
        return whole[text]
    for pattern, said in patterns:
        match = pattern.fullmatch(text)
        if match:
            return said % {name: _filled(value) for name, value in match.groupdict().items()}
    return text


def _filled(value: str) -> str:
    """Put a value into its gap: a sentence or a word that is known itself, or the value as it is."""
    said = translated(value)
    return said if said != value or not value else _APART.format(value)
