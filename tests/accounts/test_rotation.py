"""Rotation of the credentials key: interrupted anywhere and resumed, every value opens at every moment."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import vault
from accounts.models import Number
from accounts.rotation import rotate, sealed_columns
from accounts.vault import new_key
from core.secret import Secret
from tests.factories import APP_SECRET, TOKEN, connect, make_account
from webhooks.models import Endpoint

OLD, NEW = new_key(), new_key()


class Interrupted(BaseException):
    """The process is killed here."""


@pytest.fixture
def keys(settings):
    """Set CREDENTIALS_KEYS."""

    def use(*texts: str) -> None:
        settings.CREDENTIALS_KEYS = list(texts)

    use(OLD)
    return use


def three_numbers() -> None:
    """Five sealed values, and a row that was emptied."""
    connect(make_account(), token=TOKEN + "1", app_secret=APP_SECRET)
    connect(make_account(), token=TOKEN + "2")
    account = make_account()
    connect(account, token="EAA" + "gone" * 10)
    connect(account, token=TOKEN + "3", app_secret=APP_SECRET)


def everything_opens() -> bool:
    opened = [row.access_token.reveal() for row in Number.objects.order_by("pk")]
    secrets = [row.app_secret.reveal() for row in Number.objects.order_by("pk")]
    return opened == [TOKEN + "1", TOKEN + "2", "", TOKEN + "3"] and secrets == [
        APP_SECRET,
        "",
        "",
        APP_SECRET,
    ]


def run() -> str:
    out = StringIO()
    call_command("rotate_credentials_key", stdout=out)
    return out.getvalue().strip()


@pytest.mark.django_db
def test_it_reseals_everything_and_the_old_key_may_go(keys):
    three_numbers()
    keys(NEW, OLD)
    assert run() == "resealed 5, already current 0"
    keys(NEW)
    assert everything_opens()


@pytest.mark.django_db
def test_a_second_run_changes_nothing(keys):
    three_numbers()
    keys(NEW, OLD)
    run()
    before = list(Number.objects.order_by("pk").values())
    assert run() == "resealed 0, already current 5"
    assert list(Number.objects.order_by("pk").values()) == before


@pytest.mark.django_db
@pytest.mark.parametrize("rows", range(6))
def test_interrupted_after_any_row_it_is_resumed(keys, rows):
    three_numbers()
    keys(NEW, OLD)
    steps = rotate()
    for _ in range(rows):
        next(steps)
        assert everything_opens()
    steps.close()
    assert run() == f"resealed {5 - rows}, already current {rows}"
    keys(NEW)
    assert everything_opens()


@pytest.mark.django_db(transaction=True)
def test_killed_before_any_statement_it_is_resumed(keys):
    """Real commits: the process dies before its 1st, 2nd, 3rd … statement, and starts again."""
    three_numbers()
    keys(NEW, OLD)
    deaths = 0
    while True:
        left = deaths

        def die_in_time(execute, sql, params, many, context):
            nonlocal left
            left -= 1
            if left < 0:
                raise Interrupted
            return execute(sql, params, many, context)

        try:
            with connection.execute_wrapper(die_in_time):
                run()
        except Interrupted:
            deaths += 1
            connection.close()
            assert everything_opens()
        else:
            break
    assert deaths > 5
    assert everything_opens()
    keys(NEW)
    assert everything_opens()


@pytest.mark.django_db
def test_a_value_that_no_key_opens_is_left_and_reported(keys):
    three_numbers()
    keys(NEW)
    connect(make_account())
    lost = list(Number.objects.order_by("pk").values("access_token_sealed", "app_secret_sealed"))
    keys(new_key(), NEW)
    with pytest.raises(CommandError) as caught:
        run()
    assert "5 values" in str(caught.value)
    kept = list(Number.objects.order_by("pk").values("access_token_sealed", "app_secret_sealed"))
    assert kept[:-1] == lost[:-1]
    assert kept[-1] != lost[-1], "the readable one was rotated all the same"


@pytest.mark.django_db
def test_it_forgets_no_sealed_column():
    """A column must be called ``…_sealed`` and its model name the place, or dropping the old key loses it."""
    from django.apps import apps

    found = {(model.__name__, column) for model, column, _ in sealed_columns()}
    assert {("Number", "access_token_sealed"), ("Endpoint", "secret_sealed")} <= found
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            assert "sealed" not in column.name or (model.__name__, column.name) in found
    for model, _, name in sealed_columns():
        assert name in model().context(name)


@pytest.mark.django_db
def test_a_webhook_secret_is_sealed_anew_as_well(keys):
    endpoint = Endpoint(account=make_account(), url="https://good.example/")
    endpoint.seal("secret", Secret("whsec_canary"))
    endpoint.save()
    keys(NEW, OLD)
    run()
    keys(NEW)
    endpoint.refresh_from_db()
    assert endpoint.unseal("secret") == Secret("whsec_canary")


@pytest.mark.django_db
def test_it_touches_nothing_but_the_sealed_value(keys):
    number = connect(make_account())
    keys(NEW, OLD)
    run()
    number_after = Number.objects.get(pk=number.pk)
    assert vault.is_current(number_after.access_token_sealed)
    assert (number_after.updated_at, number_after.status) == (number.updated_at, number.status)


def test_new_credentials_key_prints_a_key(settings):
    out = StringIO()
    call_command("new_credentials_key", stdout=out)
    assert vault.KeyRing.from_texts([out.getvalue()])
