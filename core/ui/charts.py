"""Charts as plain SVG: geometry only. Colours and words belong to the template; no script draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 200
#: room for the scale on the left and the labels below
LEFT, BOTTOM, TOP = 44, 22, 8
#: how much of its place a bar fills
FILL = 0.62


@dataclass(frozen=True, slots=True)
class Piece:
    """One rectangle of a bar; ``name`` says of what."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One place of the axis: its pieces from the bottom up, its middle, and the label below it."""

    label: str
    middle: float
    pieces: list[Piece]
    labelled: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the scale."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that a template draws."""

    bars: list[Bar]
    lines: list[Line]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


def scale(most: int) -> list[int]:
    """Return a scale of three to five round steps from 0 that holds ``most``."""
    step = 1
    while step * 4 < most:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    steps = [0]
    while steps[-1] < most or len(steps) < 2:
        steps.append(steps[-1] + step)
    return steps


def stacked(rows: Sequence[tuple[str, Sequence[tuple[str, int]]]]) -> Chart:
    """Lay out stacked bars; each row is a label and its parts (name, count), the lowest first."""
    steps = scale(max((sum(count for _, count in parts) for _, parts in rows), default=0))
    top = steps[-1]
    floor = HEIGHT - BOTTOM
    unit = (floor - TOP) / top
    place = (WIDTH - LEFT) / max(len(rows), 1)
    bars: list[Bar] = []
    for index, (label, parts) in enumerate(rows):
        left = LEFT + place * (index + (1 - FILL) / 2)
        y = float(floor)
        pieces = []
        for name, count in parts:
            if count:
                height = count * unit
                y -= height
                pieces.append(
                    Piece(name, round(left, 1), round(y, 1), round(place * FILL, 1), round(height, 1))
                )
        # Every second label at most, counted from the last one, so that they never touch.
        labelled = (len(rows) - 1 - index) % 2 == 0
        bars.append(Bar(label, round(left + place * FILL / 2, 1), pieces, labelled))
    return Chart(bars, [Line(round(floor - step * unit, 1), f"{step:,}") for step in steps])
