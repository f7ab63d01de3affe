"""The table that is printed and the JSON that is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.machine import NOISY_FROM

HEADINGS = ("", "what", "Hermod", "baseline", "ratio", "goal", "reached")


def number(value: float | None, unit: str = "") -> str:
    """Write a value as a person reads it: no more digits than it deserves."""
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{unit}"


def _ratio(figure: Figure) -> str:
    ratio = figure.ratio
    if ratio is None:
        return ""
    return f"{ratio:.0%}" if "%" in figure.goal or "ceiling" in figure.baseline else f"{ratio:.1f} ×"


def cells(figure: Figure) -> tuple[str, ...]:
    """Return the cells of one line."""
    if figure.value is None:
        return (figure.key, figure.what, figure.note or "–", "", "", figure.goal, "")
    baseline = ""
    if figure.baseline:
        baseline = f"{figure.baseline}: {number(figure.baseline_value, figure.unit)}"
    reached = "" if figure.reached is None else "yes" if figure.reached else "NO"
    noisy = " ~" if figure.others >= NOISY_FROM else ""
    return (
        figure.key,
        figure.what,
        number(figure.value, figure.unit) + noisy,
        baseline,
        _ratio(figure),
        figure.goal,
        reached,
    )


def table(figures: Sequence[Figure]) -> str:
    """Return all figures as aligned text, notes under their lines."""
    lines = [HEADINGS, *(cells(figure) for figure in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    shown = []
    for line, figure in zip(lines, [None, *figures], strict=True):
        shown.append("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if figure is None:
            shown.append("  ".join("─" * width for width in widths))
        elif figure.note and figure.value is not None:
            shown.append(" " * (widths[0] + 4) + figure.note)
    if any(figure.others >= NOISY_FROM for figure in figures):
        shown.append(
            f"~ other programs used {NOISY_FROM:.0%} or more of the machine meanwhile: measure again"
        )
    return "\n".join(shown)


def markdown(figures: Sequence[Figure]) -> str:
    """Return all figures as a table for the documentation."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    for figure in figures:
        row = list(cells(figure))
        if figure.note and figure.value is not None:
            row[1] += f" ({figure.note})"
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def write(path: Path, figures: Sequence[Figure], facts: dict[str, Any]) -> None:
    """Write everything as JSON, whole or not at all."""
    document = {"facts": facts, "figures": [figure.as_dict() for figure in figures]}
    half = path.with_suffix(".tmp")
    half.write_text(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=False) + "\n")
    half.rename(path)
