"""Base of our admin pages: nothing is written, nothing secret is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

# The stubs know these as generic, Django at run time does not.
if TYPE_CHECKING:
    Page = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
else:
    Page = admin.ModelAdmin
    Inline = admin.TabularInline

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
