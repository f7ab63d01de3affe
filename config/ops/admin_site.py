"""The admin site itself: its title, and the door through which operators come in."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.utils import get_next_redirect_url
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts import staff
from accounts.models import User

admin.site.site_header = "Hermod"
admin.site.site_title = "Hermod"
admin.site.index_title = "Operations"
_site_login, _site_permission = admin.site.login, admin.site.has_permission


def _login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
    """Send staff on to their second factor: to add one, or to show it in this session."""
    if isinstance(request.user, User) and request.user.is_staff and not staff.may_enter(request):
        if not staff.has_factor(request.user):
            messages.warning(request, _("The operators’ pages need a second factor. Add one here first."))
            return HttpResponseRedirect(reverse("mfa_index"))
        asked = get_next_redirect_url(request) or reverse("admin:index")
        return HttpResponseRedirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': asked})}")
    return _site_login(request, extra_context)


# Operators sign in where everybody does: with the same brakes on guessing, and with a second factor.
admin.site.login = secure_admin_login(_login)  # type: ignore[method-assign]
admin.site.has_permission = lambda request: (  # type: ignore[method-assign]
    _site_permission(request) and staff.may_enter(request)
)
