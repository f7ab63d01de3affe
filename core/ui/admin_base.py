"""What every admin page of ours has in common: nothing is written, nothing secret is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from allauth.account.utils import get_next_redirect_url
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts import staff
from accounts.models import User

# The stubs know these as generic, Django at run time does not.
if TYPE_CHECKING:
    Page = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
else:
    Page = admin.ModelAdmin
    Inline = admin.TabularInline

admin.site.site_header = "Hermod"
admin.site.site_title = "Hermod"
admin.site.index_title = "The house"
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

#: a list says how many rows there are up to this many; counting a ledger of millions would take seconds
COUNTED = 10_000


class BriefPaginator(Paginator):
    """Pages of a table of any size: the count stops at ``COUNTED``."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, at most ``COUNTED``."""
        return int(self.object_list.order_by()[:COUNTED].count())  # type: ignore[attr-defined]


def one_of(column: str, values: Sequence[str]) -> type[admin.SimpleListFilter]:
    """Return a filter by a column with known values; Django's own asks the whole table which there are."""

    class OneOf(admin.SimpleListFilter):
        """The values to choose from."""

        title = column
        parameter_name = column

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            """Offer the values."""
            return [(value, value) for value in values]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            """Narrow the list."""
            return queryset.filter(**{column: self.value()}) if self.value() else queryset

    return OneOf


class History(Inline):
    """What happened to an object, below it; nobody writes it by hand."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


class Ledger(Page):
    """A page on which an operator looks and cannot touch: the rows are facts.

    ``exact`` are columns with an index that the search compares with. Django's own search is a LIKE, which
    reads a ledger to its end.
    """

    exact: Sequence[str] = ()
    show_full_result_count = False
    list_per_page = 50
    paginator = BriefPaginator

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Offer a search where there is one."""
        return list(self.exact or super().get_search_fields(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by equality in the columns of ``exact``."""
        term = search_term.strip()
        if not self.exact or not term:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(self.equals(term)), False

    def equals(self, term: str) -> Q:
        """Return the rows of which a column of ``exact`` is ``term``."""
        found = Q(pk__in=[])
        for name in self.exact:
            column: Any = self.model._meta.get_field(name)
            try:
                value = getattr(column, "target_field", column).to_python(term)
            except ValidationError:
                continue  # not the form of an id
            found |= Q(**{name: value})
        return found

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change such rows may use the page's buttons; whoever may only look may not."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Facts are not made by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nor changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nor deleted."""
        return False
