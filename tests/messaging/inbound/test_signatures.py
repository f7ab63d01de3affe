"""A callback is believed only with a signature over its very bytes; everything else leaves no trace."""

from __future__ import annotations

import json

import pytest

from accounts import vault
from accounts.connections import remove_credentials
from accounts.models import Number
from devstack.meta import seed
from devstack.meta.callbacks import signature
from messaging.models import Message, OrphanStatus, Status
from tests import factories
from tests.support.meta import apply_callbacks, envelope, make_due, post, raw_of, status_for, status_of
from webhooks.incoming import archive
from webhooks.models import InboundEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("app_secret")]
SERVICE = seed.APP_SECRET
OWN = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2


@pytest.fixture
def message(number) -> Message:
    return make_due(number, status=Status.SUBMITTING)[0]


@pytest.fixture
def body(number, message) -> bytes:
    return raw_of(envelope(number, statuses=[status_for(message, "delivered")], note="Grüße/\N{SNOWMAN}"))


def own_secret(number: Number, secret: str = OWN) -> Number:
    from core.secret import Secret

    number.app_secret = Secret(secret)
    number.save(update_fields=["app_secret_sealed"])
    return number


def left_no_trace(message: Message) -> bool:
    apply_callbacks()
    return (
        not InboundEvent.objects.exists()
        and not OrphanStatus.objects.exists()
        and status_of(message) == "submitting"
    )


def was_applied(message: Message) -> bool:
    assert InboundEvent.objects.count() == 1
    apply_callbacks()
    return status_of(message) == "delivered"


def test_a_signed_callback_is_stored_and_applied(body, message):
    answer = post(body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    stored = InboundEvent.objects.get()
    kept = archive.unseal(stored.pk, bytes(stored.raw))
    assert (kept, stored.account, stored.source) == (body, None, "meta")
    assert was_applied(message)


def reserialised(raw: bytes) -> bytes:
    return json.dumps(json.loads(raw), ensure_ascii=False).encode()


REFUSED = {
    "unsigned": lambda raw: {"secret": None},
    "empty header": lambda raw: {"header": ""},
    "signed with another secret": lambda raw: {"secret": OTHER},
    "signed with nothing": lambda raw: {"header": "sha256=" + "0" * 64},
    "a signature of other bytes": lambda raw: {"header": signature(SERVICE.encode(), raw + b" ")},
    "a signature of the body as a library writes it": lambda raw: {
        "header": signature(SERVICE.encode(), reserialised(raw))
    },
    "truncated": lambda raw: {"header": signature(SERVICE.encode(), raw)[:-1]},
    "longer": lambda raw: {"header": signature(SERVICE.encode(), raw) + "0"},
    "without its algorithm": lambda raw: {"header": signature(SERVICE.encode(), raw).removeprefix("sha256=")},
    "another algorithm": lambda raw: {"header": signature(SERVICE.encode(), raw).replace("sha256", "sha1")},
    "two signatures": lambda raw: {
        "header": ", ".join([signature(OTHER.encode(), raw), signature(SERVICE.encode(), raw)])
    },
    "not ASCII": lambda raw: {"header": "sha256=" + "é" * 64},
    "the secret itself": lambda raw: {"header": f"sha256={SERVICE}"},
}


@pytest.mark.parametrize("forged", REFUSED.values(), ids=REFUSED.keys())
def test_a_forged_callback_leaves_no_trace(body, message, forged):
    answer = post(body, **forged(body))
    assert answer.status_code == 401
    assert SERVICE not in answer.content.decode()
    assert left_no_trace(message)


def test_a_body_that_was_changed_under_its_signature_is_refused(body, message):
    changed = body.replace(b"delivered", b"read     ")
    assert changed != body
    assert post(changed, header=signature(SERVICE.encode(), body)).status_code == 401
    assert left_no_trace(message)


def test_a_truncated_body_is_refused(body, message):
    assert post(body[:-20], header=signature(SERVICE.encode(), body)).status_code in (400, 401)
    assert left_no_trace(message)


def test_the_same_json_in_other_bytes_is_another_body(body, message):
    assert post(reserialised(body), header=signature(SERVICE.encode(), body)).status_code == 401
    assert left_no_trace(message)


@pytest.mark.parametrize("secret", ["", None])
def test_no_secret_anywhere_means_closed(body, message, settings, secret):
    settings.META_APP_SECRET = ""
    header = signature(b"", body) if secret == "" else None
    assert post(body, secret=None, header=header).status_code == 401
    assert left_no_trace(message)


def test_a_signature_in_capitals_is_the_same_signature(body, message):
    header = "sha256=" + signature(SERVICE.encode(), body).removeprefix("sha256=").upper()
    assert post(body, header=header).status_code == 200
    assert was_applied(message)


# --- a customer's own secret


def test_a_customers_own_secret_speaks_for_his_number(number, body, message):
    own_secret(number)
    assert post(body, secret=OWN).status_code == 200
    assert InboundEvent.objects.get().account == number.account
    assert was_applied(message)


def test_a_customers_own_secret_works_without_one_of_the_service(number, body, message, settings):
    settings.META_APP_SECRET = ""
    own_secret(number)
    assert post(body, secret=OWN).status_code == 200
    assert was_applied(message)


def test_another_customers_secret_does_not_sign_for_this_number(number, charlie, body, message):
    own_secret(number)
    own_secret(factories.connect(charlie), OTHER)
    assert post(body, secret=OTHER).status_code == 401
    assert left_no_trace(message)


def test_the_secret_of_a_removed_number_signs_nothing(number, body, message):
    own_secret(number)
    remove_credentials(number.account)
    assert post(body, secret=OWN).status_code == 401
    assert left_no_trace(message)


def test_a_secret_that_cannot_be_opened_signs_nothing(number, body, message, settings):
    own_secret(number)
    settings.CREDENTIALS_KEYS = [vault.new_key()]
    assert post(body, secret=OWN).status_code == 401
    assert left_no_trace(message)


# --- a connection's own path


def path_of(number: Number) -> str:
    return f"/webhooks/whatsapp/{number.callback_key}"


def test_a_connections_path_takes_its_own_secret(number, body, message):
    own_secret(number)
    assert post(body, secret=OWN, path=path_of(number)).status_code == 200
    assert was_applied(message)


def test_a_connections_path_takes_the_services_secret_for_its_account_only(number, body, message):
    assert post(body, path=path_of(number)).status_code == 200
    assert InboundEvent.objects.get().account == number.account
    assert was_applied(message)


def test_a_connections_path_does_not_take_a_strangers_secret(number, charlie, body, message):
    own_secret(number)
    stranger = own_secret(factories.connect(charlie), OTHER)
    assert post(body, secret=OTHER, path=path_of(number)).status_code == 401
    assert left_no_trace(message)
    # On his own path the stranger is heard, for his own numbers: this one is none of them.
    assert post(body, secret=OTHER, path=path_of(stranger)).status_code == 200
    apply_callbacks()
    assert status_of(message) == "submitting"


def test_a_removed_connections_path_is_closed(number, body, message):
    own_secret(number)
    remove_credentials(number.account)
    assert post(body, secret=OWN, path=path_of(number)).status_code == 401
    assert post(body, path=path_of(number)).status_code == 401
    assert left_no_trace(message)


def test_an_unknown_path_is_refused_like_a_wrong_signature(number, body):
    unknown, wrong = post(body, path="/webhooks/whatsapp/nobody"), post(body, secret=OTHER)
    assert (unknown.status_code, unknown.json()) == (wrong.status_code, wrong.json()) == (401, wrong.json())
