"""What every admin page of ours has in common: nothing is written, nothing secret is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

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
# Operators sign in where everybody does: with the same brakes on guessing, and their second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

#: a list says how many rows there are up to this many; counting a ledger of millions would take seconds
COUNTED = 10_000


class BriefPaginator(Paginator):
    """Pages of a table of any size: the count stops at ``COUNTED``."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, at most ``COUNTED``."""
        return int(self.object_list.order_by()[:COUNTED].count())  # type: ignore[attr-defined]


class Ledger(Page):
    """A page on which an operator looks and cannot touch: the rows are facts."""

    show_full_result_count = False
    list_per_page = 50
    paginator = BriefPaginator

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Facts are not made by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nor changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nor deleted."""
        return False
