"""A picture of a run, drawn by hand as SVG: throughput beside its baselines, latency beside its goals."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from bench.figures import Figure
from bench.report import number

WIDTH, LEFT, RIGHT = 960, 330, 150
BAR, GAP, GROUP_GAP = 16, 4, 14
COLOURS = {"hermod": "#1f6f5c", "baseline": "#b9c4c0", "missed": "#b3542d"}
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24302c}.t{font-weight:600;font-size:16px}"
    ".s{fill:#66736e;font-size:12px}"
)

#: a label, a value, what stands at the bar's end, and the colour
Bar = tuple[str, float, str, str]


def _groups(figures: Sequence[Figure], *, latency: bool) -> list[tuple[str, list[Bar]]]:
    """Return the bars of each thing measured: Hermod's first, then its baselines."""
    groups: dict[str, list[Bar]] = {}
    for figure in figures:
        is_latency = figure.unit.strip() == "ms"
        is_rate = figure.unit.strip().endswith("/s")
        if figure.value is None or not (is_latency if latency else is_rate):
            continue
        title = f"{figure.key}  {figure.what}"
        colour = COLOURS["missed"] if figure.reached is False else COLOURS["hermod"]
        bars = groups.setdefault(title, [])
        if not bars:
            goal = f"  (goal {figure.goal})" if latency and figure.goal else ""
            bars.append(("Hermod", figure.value, number(figure.value, figure.unit) + goal, colour))
        elif figure.reached is False:
            bars[0] = (*bars[0][:3], colour)
        if figure.baseline and figure.baseline_value:
            text = number(figure.baseline_value, figure.unit)
            bars.append((figure.baseline, figure.baseline_value, text, COLOURS["baseline"]))
    return list(groups.items())


def _chart(title: str, groups: list[tuple[str, list[Bar]]], top: int) -> tuple[list[str], int]:
    """Draw one chart; every group has a scale of its own, since only its ratios mean anything."""
    parts = [f'<text class="t" x="16" y="{top + 20}">{escape(title)}</text>']
    y = top + 36
    for name, bars in groups:
        most = max(value for _, value, _, _ in bars) or 1.0
        parts.append(f'<text x="16" y="{y + 12}">{escape(name)}</text>')
        y += BAR + GAP
        for label, value, text, colour in bars:
            length = max(1.0, (WIDTH - LEFT - RIGHT - 60) * value / most)
            parts.append(
                f'<text class="s" x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>'
            )
            parts.append(
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>'
            )
            parts.append(f'<text class="s" x="{LEFT + length + 6:.1f}" y="{y + 12}">{escape(text)}</text>')
            y += BAR + GAP
        y += GROUP_GAP
    return parts, y


def svg(figures: Sequence[Figure], subtitle: str) -> str:
    """Return the picture."""
    parts = [f'<text class="s" x="16" y="22">{escape(subtitle)}</text>']
    y = 30
    for title, latency in (("Throughput, and what it is compared with", False), ("Latency", True)):
        groups = _groups(figures, latency=latency)
        if groups:
            drawn, y = _chart(title, groups, y)
            parts += drawn
    note = "A brown bar missed its goal. Each group has its own scale."
    parts.append(f'<text class="s" x="16" y="{y + 10}">{note}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 24}" width="{WIDTH}">'
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<style>{_STYLE}</style>", background, *parts, "</svg>"]) + "\n"


def write(path: Path, figures: Sequence[Figure], subtitle: str) -> None:
    """Draw to a file."""
    path.write_text(svg(figures, subtitle))
