"""Classic API views of accounts: register, who am I, credentials, rotate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import connections, credentials, keys
from accounts.api.classic import schemas
from accounts.api.views import KeyView, by_address
from accounts.authentication import caller, key_of
from accounts.models import Account
from accounts.registration import check_email, register
from core.errors import Invalid, invalid
from core.http.classic import ClassicView, ok
from core.http.fields import Fields
from core.http.lookalikes import Danger, Shape
from core.http.openapi import answers
from core.http.wire import body_of
from core.secret import Secret
from messaging.api.classic.base import told
from messaging.numbers import doctor, proofs
from webhooks.outgoing import endpoints

#: how long a rotated key may work on
LONGEST_GRACE_SECONDS = 7 * 24 * 3600
ONBOARDING_BYTES = 4_096
#: Meta's four values, as the core names them and as the document does
_CREDENTIALS = {
    "access_token": "whatsappAccessToken",
    "phone_number_id": "whatsappPhoneNumberId",
    "waba_id": "whatsappBusinessAccountId",
    "app_secret": "whatsappAppSecret",
}
_NEEDED = ("access_token", "phone_number_id")
_CREDENTIAL_LONGEST = 4_000
_KEEPS_ITS_RIGHTS = (
    "The new key has the rights and limits of the old one, so nothing was done. Make another with "
    "POST /auth/me/keys and revoke this one."
)
#: a key's successor; somebody may want it to be narrower than the old one
_SUCCESSOR = Shape(
    {Danger.GRACE: "graceSeconds"},
    {Danger.RIGHTS: _KEEPS_ITS_RIGHTS, Danger.END: _KEEPS_ITS_RIGHTS},
    alike=dict.fromkeys(("agentIds", "rateLimitPerMinute"), ""),
    lacking=_KEEPS_ITS_RIGHTS,
)


class Register(ClassicView):
    """``POST /auth/register``."""

    authentication_classes = []
    permission_classes = []
    rate = staticmethod(by_address)

    @extend_schema(
        operation_id="register",
        summary="Create an account and get an API key",
        tags=["Account"],
        auth=[],
        request=schemas.RegisterBody,
        responses=answers(201, schemas.Registered, 409, 429, public=True),
    )
    def post(self, request: Request) -> Response:
        """The key is shown in this answer and never again: store it at once."""
        fields = Fields(body_of(request))
        name = fields.text("name", required=True, longest=200)
        email = (fields.text("email", required=True, longest=254) or "").strip()
        password = fields.text("password", longest=200)
        if email:
            try:
                check_email(email)
            except Invalid as found:
                fields.faults += found.fields
        fields.done()
        fresh = register(name=(name or "").strip(), email=email, password=password)
        return ok({"apiKey": fresh.api_key.reveal(), "plan": fresh.account.plan}, status=201)


def me(account: Account) -> dict[str, Any]:
    """Write an account as ``GET /auth/me`` shows it."""
    number = connections.default_number(account)
    return {
        "name": account.name,
        "email": account.email,
        "plan": account.plan,
        "messagesSent": account.messages_sent,
        "byocConfigured": number is not None,
        "webhookUrl": endpoints.default_url(account),
    }


class Me(KeyView):
    """``GET /auth/me``."""

    @extend_schema(
        operation_id="getMe",
        summary="Your account",
        tags=["Account"],
        responses=answers(200, schemas.Me, 429, body=False),
    )
    def get(self, request: Request) -> Response:
        """Your account's details. The API key is not part of them."""
        return ok(me(caller(request)))


class Credentials(KeyView):
    """``PUT`` and ``DELETE /auth/me/credentials``."""

    live_only = True

    @extend_schema(
        operation_id="saveCredentials",
        summary="Save your Meta credentials",
        tags=["Account"],
        request=schemas.CredentialsBody,
        responses=answers(200, schemas.CredentialsSaved, 409, 429),
    )
    def put(self, request: Request) -> Response:
        """From now on messages go out from this number. The token is stored encrypted and never shown.

        Meta is asked whether the token reaches the number; until it has said so, nothing that is reported
        of the number is shown to you. When Meta cannot be reached the credentials are saved all the same,
        and we ask again by ourselves. 409: Meta confirms your token, but another account uses the number.
        """
        fields = Fields(body_of(request))
        given = {
            name: fields.text(wire, required=name in _NEEDED, longest=_CREDENTIAL_LONGEST)
            for name, wire in _CREDENTIALS.items()
        }
        for fault in credentials.faults(given):
            fields.fault(_CREDENTIALS[fault.field], fault.message)
        fields.done()
        app_secret = given["app_secret"]
        number = proofs.save(
            caller(request),
            credentials.Credentials(
                Secret(given["access_token"] or ""),
                given["phone_number_id"] or "",
                given["waba_id"],
                Secret(app_secret) if app_secret is not None else None,
            ),
        )
        return ok(
            {
                "byocConfigured": True,
                "whatsappPhoneNumberId": number.phone_number_id,
                "verified": False,
                "callbackUrl": connections.callback_url(number),
                "verifyToken": number.verify_token,
            }
            | told(number)
        )

    @extend_schema(
        operation_id="removeCredentials",
        summary="Remove your Meta credentials",
        tags=["Account"],
        request=None,
        responses=answers(200, schemas.CredentialsRemoved, 429, body=False),
    )
    def delete(self, request: Request) -> Response:
        """Forgets the token. Messages that still wait for it will fail and say so."""
        connections.remove_credentials(caller(request))
        return ok({"byocConfigured": False})


class VerifyCredentials(KeyView):
    """``POST /auth/me/credentials/verify``."""

    @extend_schema(
        operation_id="verifyCredentials",
        summary="Check your Meta credentials with Meta",
        tags=["Account"],
        request=None,
        responses=answers(200, schemas.Verification, 429, body=False),
    )
    def post(self, request: Request) -> Response:
        """Asks Meta and answers with one line per check; a failed one says how to mend it. `verified` is
        whether the number can send; whether its delivery reports can be believed is a check of its own.
        """
        number = connections.default_number(caller(request))
        if number is None:
            raise invalid("credentials", "No credentials are saved. Save them with PUT /auth/me/credentials.")
        diagnosis = doctor.examine(number)
        return ok(
            {
                "verified": diagnosis.verified,
                "phoneNumber": number.display_phone or None,
                "verifiedName": number.verified_name or None,
                "whatsappBusinessAccountId": number.waba_id or None,
                "checks": [
                    {
                        "check": line.check,
                        "ok": line.ok,
                        "message": line.message,
                        "fix": line.fix,
                        "code": line.code,
                    }
                    for line in diagnosis.checks
                ],
            }
            | told(number)
        )


class RotateKey(KeyView):
    """``POST /auth/me/rotate-key``."""

    all_agents = False  # the new key is limited like the old one

    @extend_schema(
        operation_id="rotateKey",
        summary="Replace your API key",
        tags=["Account"],
        request=schemas.RotateBody,
        responses=answers(200, schemas.RotatedKey, 409, 429),
    )
    def post(self, request: Request) -> Response:
        """The old key stops working at once, or after `graceSeconds`; the new one is shown only here."""
        fields = Fields(body_of(request))
        fields.refuse_lookalikes(_SUCCESSOR)
        grace = fields.whole("graceSeconds", least=0, most=LONGEST_GRACE_SECONDS) or 0
        fields.done()
        return ok({"apiKey": keys.rotate(key_of(request), grace=timedelta(seconds=grace)).reveal()})


class Onboarding(KeyView):
    """``GET`` and ``PUT /auth/me/onboarding``."""

    live_only = True

    @extend_schema(
        operation_id="getOnboarding",
        summary="Where you stand in the set-up",
        tags=["Account"],
        responses=answers(200, schemas.OnboardingState, 429, body=False),
    )
    def get(self, request: Request) -> Response:
        """What was stored with PUT."""
        return ok({"onboarding": caller(request).onboarding})

    @extend_schema(
        operation_id="saveOnboarding",
        summary="Note where you stand in the set-up",
        tags=["Account"],
        request=schemas.OnboardingBody,
        responses=answers(200, schemas.OnboardingState, 429),
    )
    def put(self, request: Request) -> Response:
        """Any small object: the set-up resumes from it and suggests what to do next."""
        state = body_of(request)
        if len(orjson.dumps(state)) > ONBOARDING_BYTES:
            raise invalid("", f"Must be at most {ONBOARDING_BYTES} bytes of JSON.")
        Account.objects.filter(pk=caller(request).pk).update(onboarding=state)
        return ok({"onboarding": state})
