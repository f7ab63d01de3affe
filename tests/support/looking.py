"""Looking at a page as people do: a picture, whether it fits, whether everybody can read it (axe)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from playwright.sync_api import Page

#: where pictures are left for whoever wants to look at them
PICTURES = Path(settings.BASE_DIR) / "artifacts" / "pages"
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
#: what WCAG 2.2 AA asks for, and what is good manners besides
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: of these alone the answer depends on the light or on the width of the window
AGAIN = ["color-contrast", "target-size", "scrollable-region-focusable"]
#: runs once the script is there, and gives back what is wrong, without the elements
_RUN = """async ([part, known, rules]) => {
  const there = known.filter((one) => document.querySelector(one)).map((one) => [one]);
  const found = await axe.run(
    {include: [[part]], exclude: there},
    {runOnly: rules, resultTypes: ["violations"]},
  );
  const places = (one) => one.nodes.slice(0, 3).map((node) => String(node.target));
  return found.violations.map((one) => [one.id, one.help, places(one)]);
}"""


def photograph(page: Page, name: str) -> None:
    """Take a picture of the whole page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.jpg"
    page.screenshot(path=path, full_page=True, type="jpeg", quality=70, animations="disabled")


def faults(
    page: Page, name: str, rules: Sequence[str] = RULES, *, part: str = "html", known: Sequence[str] = ()
) -> list[str]:
    """Return what somebody could not read or reach on the page (or a part), and whether it is too wide.

    ``known`` are the parts that every page has and that were looked at on another.
    """
    needed, there = page.evaluate(WIDTHS)
    found = [f"{name} scrolls sideways: {needed} of {there}"] if needed > there else []
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    for rule, about, places in page.evaluate(_RUN, [part, list(known), list(rules)]):
        found.append(f"{name}: {rule} ({about}) at {places}")
    return found
