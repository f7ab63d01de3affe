"""What was meant to restrict: unknown fields are ignored (W7), but not these.

A key made with ``scope`` would have all rights, a replay with ``to`` would not end: whoever writes such a
name is told, and nothing is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.http.fields import Fields


def _folded(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def refuse(fields: Fields, known: Sequence[str], alike: Mapping[str, str], *, said: str = "") -> None:
    """Note a fault for each field that is spelled nearly like one of ``known``, or stands in ``alike``.

    ``alike`` names what people write and the field that they mean; an empty one means that we have no such
    thing, and ``said`` is what they are told. Case, underscores and dashes make no difference. What was
    refused already is not refused twice.
    """
    meant = {_folded(name): name for name in known}
    meant |= {_folded(name): what for name, what in alike.items() if _folded(name) not in meant}
    faulty = {fault.field for fault in fields.faults}
    for name in fields.data:
        what = meant.get(_folded(name))
        if what is None or name in known or name in faulty:
            continue
        fields.fault(name[:100], f"Did you mean {what}? Nothing was done." if what else said)
