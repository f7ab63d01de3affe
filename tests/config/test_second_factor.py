"""Operators show a second factor, in this session; the first page and a check name who has none."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.core import checks
from django.test import Client

from accounts.models import User
from tests.support import operators

pytestmark = pytest.mark.django_db

PAGES = ["/admin/", "/admin/accounts/account/", "/admin/accounts/", "/admin/jsi18n/"]


def staff(email: str = "bare@example.com") -> User:
    return User.objects.create_superuser(email)


@pytest.mark.parametrize("page", PAGES)
def test_a_password_alone_opens_no_page_of_the_operators(client: Client, page: str):
    """H8."""
    client.force_login(staff())
    asked = client.get(page)
    assert asked.status_code == 302 and b"Operations" not in asked.content
    answer = client.get(page, follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/2fa/"
    assert "need a second factor" in answer.content.decode()


def test_a_session_that_began_before_there_was_a_factor_has_to_show_it(client: Client):
    person = staff()
    client.force_login(person)
    secret = operators.give_factor(person)
    answer = client.get("/admin/accounts/account/", follow=True)
    way, _ = answer.redirect_chain[-1]
    assert way.startswith("/accounts/2fa/reauthenticate/")
    shown = client.post(way, {"code": operators.code_of(secret)})
    assert (shown.status_code, shown["Location"]) == (302, "/admin/accounts/account/")
    assert client.get("/admin/accounts/account/").status_code == 200


def test_a_factor_that_was_taken_away_closes_the_pages_again(client: Client):
    operators.operator(client)
    assert client.get("/admin/").status_code == 200
    Authenticator.objects.all().delete()
    assert client.get("/admin/").status_code == 302


def test_recovery_codes_alone_are_no_second_factor(client: Client):
    operators.operator(client)
    Authenticator.objects.update(type=Authenticator.Type.RECOVERY_CODES)
    assert client.get("/admin/").status_code == 302


def test_a_laptop_asks_for_none(client: Client, settings):
    settings.ADMIN_SECOND_FACTOR = False
    client.force_login(staff())
    assert client.get("/admin/").status_code == 200


def test_the_check_and_the_first_page_name_who_has_none(client: Client):
    staff("bare@example.com")
    User.objects.create_superuser("gone@example.com", is_active=False)
    User.objects.create_user("customer@example.com", "a long enough password")
    operators.operator(client, "careful@example.com")
    found = checks.run_checks(tags=["hermod"], include_deployment_checks=True)
    (said,) = [one for one in found if one.id == "hermod.W010"]
    assert said.msg == "Staff without a second factor: bare@example.com."
    page = client.get("/admin/").content.decode()
    assert "Staff without a second factor" in page and "bare@example.com" in page
    operators.give_factor(User.objects.get(email="bare@example.com"))
    found = checks.run_checks(tags=["hermod"], include_deployment_checks=True)
    assert "hermod.W010" not in {one.id for one in found}


def test_links_of_the_first_page_hold_on_every_page_that_shows_them(client: Client):
    """H19."""
    import re

    operators.operator(client)
    links = set()
    for page in ("/admin/", "/admin/accounts/"):
        body = client.get(page).content.decode()
        _, _, status = body.partition('id="service-status"')
        links |= set(re.findall(r'href="([^"]+)"', status.partition("</table>")[0]))
    assert len(links) >= 5
    for link in sorted(links):
        assert link.startswith("/admin/"), link
        assert client.get(link.replace("&amp;", "&")).status_code == 200, link
