"""The form of a sign-up, for an address that is known here as for one that is not."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import SignupForm
from django.http import HttpRequest

from accounts.models import User


class Form(SignupForm):
    """allauth's form, which answers both alike in words, and here in time, too."""

    def try_save(self, request: HttpRequest) -> Any:
        """Make the person, or tell the known one by mail; each costs one hash of a password."""
        if self.account_already_exists:
            User().set_password(self.cleaned_data["password1"])
        return super().try_save(request)
