"""Small things of the /v1 API that a client meets on the way: verbs, empty headers, what is passed on."""

from __future__ import annotations

import pytest

from accounts.models import ApiKey
from messaging.compose import approved
from messaging.compose.drafts import FilledTemplate
from messaging.compose.template import fill, fill_unknown
from tests.factories import Api
from tests.support.v1 import AGENTS, LOOKUP, MESSAGES, TEMPLATES, Customer, refused

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", [MESSAGES, TEMPLATES, LOOKUP, AGENTS, f"{MESSAGES}/x", f"{AGENTS}/x"])
def test_allow_names_exactly_the_verbs_that_are_served(org: Customer, path: str) -> None:
    api = org.api("*")
    allowed = api.send("PURGE", path).headers["Allow"].split(", ")
    assert allowed
    for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        status = api.send(verb, path, {} if verb in ("POST", "PATCH") else None).status_code
        assert (status != 405) == (verb in allowed), (verb, status)


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "bearer    "])
def test_a_header_without_a_key_is_told_where_a_key_belongs(header: str) -> None:
    answer = Api().get(AGENTS, HTTP_AUTHORIZATION=header)
    error = refused(answer, 401, "invalid_api_key")
    assert "Authorization: Bearer" in error["message"]


@pytest.mark.parametrize(
    ("path", "reads"),
    [
        (MESSAGES, "application/json"),
        (f"{TEMPLATES}/examples", "multipart/form-data"),
        ("/media", "multipart/form-data"),
    ],
)
def test_a_body_of_another_type_is_told_which_type_is_read(org: Customer, path: str, reads: str) -> None:
    answer = org.api("*", kind=ApiKey.Kind.SK).send("POST", path, b"x", type="text/plain")
    assert answer.status_code == 415
    assert f" as {reads}" in answer.content.decode()


def test_a_carousel_stays_one_whatever_its_object_says() -> None:
    card = {"components": [{"type": "BODY", "text": "Hello"}]}
    parts = approved.read([{"type": "BODY", "text": "Hi"}, {"type": "CAROUSEL", "cards": [card]}])
    given = {"type": "header", "cards": [{"card_index": 0, "components": []}]}
    what = FilledTemplate("x", "en", carousel=given)
    for made in (fill(what, parts), fill_unknown(what)):
        assert [one["type"] for one in made.components or []] == ["carousel"]
