"""In Arabic: every marked word is translated and compiled, the cores' sentences too, every page reads RTL."""

from __future__ import annotations

import ast
import gettext
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation.template import templatize

from core.ui.refusal_texts import translated
from tests.dashboard import table, world
from tests.support.people import make_owned, signed_in

ROOT = Path(settings.BASE_DIR)
FOLDER = ROOT / "locale" / "ar" / "LC_MESSAGES"
FOLDERS = ("core", "accounts", "billing", "webhooks", "messaging", "developers", "config")
ARABIC = re.compile(r"[\u0600-\u06ff]")


def entries() -> dict[str, str]:
    """Read the catalogue's source: msgid to its (first) translation; fails on a fuzzy one."""
    found, field, texts = {}, "", {"msgid": "", "msgid_plural": "", "msgstr": ""}
    for line in [*(FOLDER / "django.po").read_text(encoding="utf-8").splitlines(), "msgid ''"]:
        assert not line.startswith("#, fuzzy"), "a translation is a guess"
        if line.startswith("#") or not line.strip():
            continue
        word, _, rest = line.partition(" ") if not line.startswith('"') else (field, "", line)
        if word == "msgid" and not line.startswith('"'):
            if texts["msgid"]:
                found[texts["msgid"]] = texts["msgstr"]
            texts = {"msgid": "", "msgid_plural": "", "msgstr": ""}
        if word.startswith("msgstr["):
            word = "msgstr" if word == "msgstr[0]" else "rest"
        field = word
        texts[field] = texts.get(field, "") + ast.literal_eval(rest)
    return found


def marked() -> Iterator[tuple[str, str]]:
    """Give every word that is marked for translation, with the file that says it."""
    for path in (ROOT / "templates").rglob("*.html"):
        code = templatize(path.read_text(encoding="utf-8"))
        for text in re.findall(r"""\bn?gettext\(u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", code):
            yield ast.literal_eval(text), path.name
        for text in re.findall(r"""\b_\(('[^']*'|"[^"]*")\)""", code):
            yield ast.literal_eval(text), path.name
    for path in (one for folder in FOLDERS for one in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                first = node.args[0]
                if node.func.id in ("_", "gettext", "gettext_lazy") and isinstance(first, ast.Constant):
                    yield str(first.value), path.name


def test_every_marked_word_has_an_arabic_one_and_the_compiled_catalogue_is_the_written_one() -> None:
    written = entries()
    assert {msgid for msgid, said in written.items() if not said} == set()
    with (FOLDER / "django.mo").open("rb") as compiled:
        catalogue = gettext.GNUTranslations(compiled)
    stale = {
        msgid
        for msgid, said in written.items()
        if said not in (catalogue.gettext(msgid), catalogue.ngettext(msgid, msgid, 0))
    }
    assert not stale, "run compilemessages"
    missing = {(text, name) for text, name in marked() if text.strip() and text not in written}
    assert not missing


#: cores whose sentences stand on pages of the dashboard
SPEAKERS = [
    *(
        f"accounts/{name}.py"
        for name in ("agents", "closing", "connections", "credentials", "ownership", "team")
    ),
    *(f"billing/{name}.py" for name in ("checkout", "overview")),
    *(
        f"messaging/{name}.py"
        for name in (
            *("compose/template", "compose/values", "dashboard/sheets", "inbound/conversations"),
            *("message_templates/lint", "numbers/doctor", "numbers/verification", "reports/meanings"),
            *("reports/overview", "send/outcomes", "status/transitions", "compose/written_numbers"),
        )
    ),
    *(f"webhooks/outgoing/{name}.py" for name in ("endpoints", "egress_rules", "delivery_log")),
]
#: said to programs only, or inside of another sentence
_NOT_SHOWN = re.compile(r"^(You used |Must be one of: 7|There is no such pl|Asks |SELECT |.* SELECT )")
#: sentences that may wait for their Arabic words; they show in English until then
PATIENCE = 8


def sentences(path: Path) -> Iterator[str]:
    """Give what a module says in whole sentences, with a 7 in the place of each value."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            passed.add(id(node.value))  # a docstring
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if re.match(r"[A-Z7].* .*[.)]$", text) and not _NOT_SHOWN.match(text):
            yield text


def test_what_the_cores_say_on_pages_is_said_in_arabic() -> None:
    from messaging.meta.codes import known

    said = {text for name in SPEAKERS for text in sentences(ROOT / name)}
    assert len(said) > 120
    with translation.override("ar"):
        silent = {text for text in said if not ARABIC.search(translated(text))}
        reasons = {text for one in known() for text in (one.tells, one.ended)}
        unsaid = {text for text in reasons if not ARABIC.search(translated(text))}
    assert len(silent) <= PATIENCE, silent
    assert not unsaid, "reasons of Meta's that an Arabic reader sees in English"


def test_a_value_goes_into_its_gap_and_english_stays_english() -> None:
    with translation.override("ar"):
        assert translated("Only failed messages can be retried; this one is sent.").endswith(
            "\u2068sent\u2069."
        )
        assert translated("Nobody ever wrote this.") == "Nobody ever wrote this."
    assert translated("The message is empty.") == "The message is empty."


def cores(language: str) -> dict[str, str]:
    """Return what the pages make of the cores' sentences."""
    found: dict[str, str] = json.loads(
        (ROOT / "locale" / language / "cores.json").read_text(encoding="utf-8")
    )
    return found


def test_no_reader_of_a_page_is_told_to_call_the_api() -> None:
    call = re.compile(r"(GET|POST|PUT|DELETE) /")
    with translation.override("en"):
        told = {one for one in cores("ar") if call.search(translated(one))}
        assert "on the page Billing" in translated(
            "All are used. Upgrade the plan, or buy more messages, with POST /billing/checkout."
        )
    assert told == set()
    assert {one for one, said in cores("ar").items() if call.search(said)} == set()
    assert set(cores("en")) <= set(cores("ar"))


def test_the_cores_arabic_fills_no_gap_that_english_has_not() -> None:
    words = cores("ar")
    gap = re.compile(r"%\((\w+)\)s")
    assert {
        one for one, said in words.items() if not set(gap.findall(said)) <= set(gap.findall(one))
    } == set()
    assert {one for one, said in words.items() if not ARABIC.search(said)} == set()


class Words(HTMLParser):
    """What a page says in the reader's own words: no code, no names, nothing marked as another language."""

    NOT_WORDS = ("script", "style", "code", "pre", "bdi", "time", "option", "textarea", "title")
    VOID = ("input", "img", "link", "meta", "br", "hr", "use", "col", "wbr")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.inside: list[bool] = [True]
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Go into a tag."""
        given = dict(attributes)
        for name in ("aria-label", "title", "placeholder"):
            if self.inside[-1] and given.get(name):
                self.said.append(str(given[name]))
        if tag not in self.VOID:
            foreign = (
                tag in self.NOT_WORDS or given.get("lang") == "en" or "mono" in (given.get("class") or "")
            )
            self.inside.append(self.inside[-1] and not foreign)

    def handle_endtag(self, tag: str) -> None:
        """Come out of a tag."""
        if tag not in self.VOID and len(self.inside) > 1:
            self.inside.pop()

    def handle_data(self, text: str) -> None:
        """Note what is said."""
        if self.inside[-1]:
            self.said.append(" ".join(text.split()))


#: names of things that are called so in every language
_NAMES = re.compile(
    r"WhatsApp(,? Business Account)?(,? Manager)?|API Setup|App Secret|Phone Number ID"
    r"|Meta Business Settings|Verify and save"
)


@pytest.mark.django_db
def test_every_page_reads_from_right_to_left_in_arabic_words() -> None:
    account = make_owned("Alice")
    made = world.furnish(account, lambda place: f"كلام{len(place)}")
    account.memberships.order_by("pk")[0].user.__class__.objects.update(language="ar")
    client, english = signed_in(account), {}
    for page in [*table.DASHBOARD, *table.SIGNING_IN]:
        if page.who != "owner":
            continue
        address = page.address(made)
        answer = client.get(address) if page.post is None else client.post(address, page.values(made))
        text = answer.content.decode()
        assert '<html lang="ar" dir="rtl"' in text, page.title
        for said in Words(text).said:
            found = re.search(r"[A-Za-z][a-z’']+( [A-Za-z][a-z’']*){2,}", _NAMES.sub("", said))
            if found:
                english.setdefault(page.title, []).append(said[:120])
    assert not english
