"""The developers' pages: the guide, its Markdown, the failures, the text for agents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from core.http import classic, v1
from core.http.error_catalogue import API_ERRORS
from developers.errors import OURS
from messaging.meta.codes import known
from tests import factories
from tests.support.browser import Visit

Open = Callable[..., Visit]


# --- as a browser sees them


def test_a_call_is_shown_in_one_language_at_a_time_and_the_keyboard_chooses(visit: Open) -> None:
    tab = visit()
    tab.open("/developers/quickstart")
    first = tab.page.locator(".samples").first
    shown = first.locator("pre:visible")
    assert shown.count() == 1 and shown.inner_text().startswith("curl ")
    first.locator("input").first.focus()
    tab.page.keyboard.press("ArrowRight")
    assert shown.count() == 1 and "requests.post" in shown.inner_text()
    first.get_by_text("JavaScript").click()
    assert shown.count() == 1 and "fetch(" in shown.inner_text()


# --- as a program reads them


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/developers", "text/html"),
        ("/developers.md", "text/markdown"),
        ("/llms.txt", "text/plain"),
        ("/developers/errors", "text/html"),
    ],
)
def test_a_page_can_be_read_and_nothing_else(path: str, kind: str, client: Any) -> None:
    assert client.get(path)["Content-Type"] == f"{kind}; charset=utf-8"
    assert client.post(path).status_code == 405


@pytest.mark.parametrize("path", ["/developers/sending", "/developers.md", "/llms.txt"])
def test_a_text_names_this_server_and_no_template_shines_through(
    path: str, client: Any, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://hermod.example"
    text = client.get(path).content.decode()
    assert "https://hermod.example/send-message" in text or path == "/llms.txt"
    assert "https://hermod.example/openapi.json" in text or path == "/developers/sending"
    assert not re.search(r"\{%|\{\{|```call", text)


def test_the_three_links_for_an_agent_come_in_order(client: Any) -> None:
    text = client.get("/developers.md").content.decode()
    places = [text.index(f"]({path})") for path in ("/llms.txt", "/openapi.json", "/developers")]
    openapi = text.index("2. [")
    assert text.index("1. [") < openapi < text.index("3. [")
    assert places[0] < text.index("3. [")


def test_the_guide_and_the_agents_text_name_every_operation(client: Any) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    short = client.get("/llms.txt").content.decode()
    for path in paths:
        assert path.partition("/{")[0] in short, path


def test_the_python_of_the_guide_is_python_and_its_bodies_are_json(client: Any) -> None:
    text = client.get("/developers.md").content.decode()
    samples = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(samples) > 15
    for sample in samples:
        compile(sample, "guide", "exec")
    for body in re.findall(r"-d '(.*?)'$", text, re.MULTILINE | re.DOTALL):
        assert isinstance(json.loads(body), dict)


@pytest.mark.django_db
def test_the_service_takes_every_message_of_the_guide(client: Any) -> None:
    text = client.get("/developers.md").content.decode()
    customer = factories.api(factories.make_account("pro"))
    calls = re.findall(r"^curl \S+?(/send-message|/messages/bulk) .*?-d '(.*?)'$", text, re.M | re.S)
    assert len(calls) > 6
    for path, written in calls:
        body = json.loads(written)
        for one in body.get("messages", [body]):
            one["dry_run"] = True
        answer = customer.post_json(path, body)
        assert answer.status_code == 202, answer.content


# --- failures


def test_every_code_of_meta_and_every_word_has_a_page(client: Any) -> None:
    for meta in known():
        for name in (str(meta.code), meta.slug):
            page = client.get(f"/developers/errors/{name}")
            assert page.status_code == 200, name
            assert meta.slug in page.content.decode()
    for slug in (*OURS, *API_ERRORS, "refused", "meta_server_error"):
        assert client.get(f"/developers/errors/{slug}").status_code == 200, slug


def test_every_refusal_that_an_api_can_answer_is_explained_with_its_status(client: Any) -> None:
    listed = client.get("/developers/errors").content.decode()
    for word in v1.CATALOGUE.values():
        page = client.get(f"/developers/errors/{word.code}").content.decode()
        assert str(word.status) in page or word.code == "endpoint_not_found", word
        assert f'"/developers/errors/{word.code}"' in listed
    for code, status in classic.STATUS.items():
        assert str(status) in client.get(f"/developers/errors/{code}").content.decode()


def test_a_word_that_refuses_requests_and_fails_messages_is_explained_as_both(client: Any) -> None:
    """Whoever was opted out before the send is refused, whoever did so after it fails the message."""
    shared = set(API_ERRORS) & {*OURS, *(meta.slug for meta in known())}
    assert shared == {"recipient_opted_out", "method_not_allowed"}
    page = client.get("/developers/errors/recipient_opted_out").content.decode()
    assert page.count('class="meaning"') == 2


def test_a_code_inside_a_range_has_a_page(client: Any) -> None:
    assert client.get("/developers/errors/250").status_code == 200


@pytest.mark.parametrize("name", ["999999", "-1", "nonsense", "0131047", "1" * 40, "٣", "<script>"])
def test_a_code_that_nobody_knows_is_not_found(name: str, client: Any) -> None:
    answer = client.get(f"/developers/errors/{name}")
    assert answer.status_code == 404
    assert answer.json()["success"] is False


def test_every_refusal_of_an_api_has_its_page(client: Any) -> None:
    """The codes are read from the sources; those of the dashboard's own forms have no page."""
    apps = [
        Path(settings.BASE_DIR) / app
        for app in ("core", "accounts", "billing", "webhooks", "messaging", "developers", "config")
    ]
    given = {
        (code, path)
        for app in apps
        for path in app.rglob("*.py")
        for code in re.findall(r"""\bRefusal\(\s*"([a-z_]+)\"""", path.read_text())
    }
    for code, path in sorted(given):
        if "dashboard" in path.parts or code == "forbidden":
            continue
        assert client.get(f"/developers/errors/{code}").status_code == 200, (code, path)
