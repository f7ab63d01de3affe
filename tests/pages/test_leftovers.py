"""Nothing is left over in templates and static files: every style, icon and template is used by something."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
#: set by htmx while it waits
RUNTIME = {"htmx-request"}


def sources() -> str:
    """Return everything that may name a class, an icon or a template."""
    files = [*(ROOT / "templates").rglob("*.*"), *(ROOT / "static").glob("*.js")]
    for app in ("core", "accounts", "billing", "webhooks", "messaging", "developers", "config"):
        files += (ROOT / app).rglob("*.py")
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_every_style_and_every_icon_is_used() -> None:
    used = sources()
    for sheet in (ROOT / "static").glob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
        selectors = " ".join(re.findall(r"([^{}]+)\{", text))
        classes = set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors)) - RUNTIME
        assert {one for one in classes if not re.search(rf"(?<![\w-]){one}(?![\w-])", used)} == set(), (
            sheet.name
        )
    icons = re.findall(r'<symbol id="(\w+)"', (ROOT / "static" / "icons.svg").read_text())
    assert {one for one in icons if f'"{one}"' not in used} == set()


def test_every_file_is_used() -> None:
    used = sources()
    for path in (ROOT / "static").glob("*.*"):
        assert path.name in used or path.name == ".gitkeep", path.name
    for path in (ROOT / "templates").rglob("*.html"):
        name = path.relative_to(ROOT / "templates").as_posix()
        named = (name, f'"{path.stem}"')  # the pages of errors are named by their stem
        replaces_a_librarys = name.startswith(("account/", "allauth/", "admin/"))
        assert replaces_a_librarys or any(one in used for one in named), name
