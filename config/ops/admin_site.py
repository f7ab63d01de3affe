"""Admin site: its title, and how operators sign in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.utils import get_next_redirect_url
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
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

#: where Django turns what a browser sent into a column's value
_READERS = ("to_python", "get_prep_value")


def _is_misread(error: Exception) -> bool:
    """Tell whether an error says that a browser's text is no value of a column (an id that is none)."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_name in _READERS


def _readable(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Answer ids that are none with a 400; Django looks for them in the table without reading them first."""

    @wraps(view)
    def reading(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            answer = view(request, *args, **kwargs)
            if request.method == "POST" and isinstance(answer, SimpleTemplateResponse):
                answer.render()  # a form that is drawn again looks its ids up once more
            return answer
        except (ValidationError, ValueError) as error:
            if not _is_misread(error):
                raise
            return HttpResponseBadRequest(b"One of the ids in this form is not one.", "text/plain")

    return reading


_site_view = admin.site.admin_view
admin.site.admin_view = lambda view, cacheable=False: (  # type: ignore[method-assign,assignment]
    _site_view(_readable(view), cacheable)  # type: ignore[return-value]
)
