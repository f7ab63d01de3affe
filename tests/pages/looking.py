"""Looking at a page as people do: a picture, whether it fits, whether everybody can read it (axe)."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Page

#: where pictures are left for whoever wants to look at them
PICTURES = Path(settings.BASE_DIR) / "artifacts" / "pages"
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
#: what WCAG 2.2 AA asks for, and what is good manners besides
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: of these alone the answer depends on the light or on the width of the window
AGAIN = ["color-contrast", "target-size", "scrollable-region-focusable"]
_axe = Axe()


def photograph(page: Page, name: str) -> None:
    """Take a picture of the whole page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.jpg"
    page.screenshot(path=path, full_page=True, type="jpeg", quality=70, animations="disabled")


def faults(page: Page, name: str, rules: list[str] = RULES, *, part: str | None = None) -> list[str]:
    """Return what somebody could not read or reach on the page (or on a part), and whether it is too wide."""
    needed, there = page.evaluate(WIDTHS)
    found = [f"{name} scrolls sideways: {needed} of {there}"] if needed > there else []
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    for one in _axe.run(page, context=part, options=options).response["violations"]:
        places = [node["target"] for node in one["nodes"]][:3]
        found.append(f"{name}: {one['id']} ({one['help']}) at {places}")
    return found
