"""Django admin of accounts: how each is, who belongs to it, its numbers and keys; credentials never seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from accounts.models import Account, Agent, ApiKey, AuditEvent, Membership, Number, User
from billing.overview import used_by
from config.ops.service_status import health
from core.jobs.wakeup import wake
from core.ui.admin_base import BriefPaginator, Inline, Ledger, Page


class MembershipInline(Inline):
    """Who belongs to an account."""

    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Account)
class AccountAdmin(Page):
    """Customers: the switch that deactivates them may be changed.

    The plan has one writer: see "billing of accounts", where a change needs a reason and is logged.
    """

    list_display = ["name", "email", "plan", "used", "health", "numbers", "is_active", "created_at"]
    list_filter = ["plan", "is_active"]
    list_per_page = 50
    search_fields = ["name", "email", "id"]
    ordering = ["-id"]
    paginator = BriefPaginator
    readonly_fields = [
        *("id", "plan", "messages_sent", "onboarding", "set_up_at", "claimed_at", "closed_at"),
        *("retention_days", "created_at"),
    ]
    inlines = [MembershipInline]
    show_full_result_count = False

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Read use and health of all accounts on the page, in one query each."""
        found = super().get_changelist_instance(request)
        page: list[Any] = list(found.result_list)
        states, usage = health([account.pk for account in page]), used_by(page)
        for account in page:
            account.state, account.usage = states[account.pk], usage[account.pk]
        found.result_list = page
        return found

    @admin.display(description="used")
    def used(self, account: Any) -> str:
        """Return messages of the billing period, of how many."""
        used, limit = account.usage
        return f"{used:,}" if limit is None else f"{used:,} of {limit:,}"

    @admin.display(description="health")
    def health(self, account: Any) -> str:
        """Say what somebody should look at."""
        ailments = ", ".join(account.state.ailments)
        return format_html('<strong class="bad">{}</strong>', ailments) if ailments else "well"

    @admin.display(description="numbers")
    def numbers(self, account: Any) -> str:
        """Lead to the account's numbers."""
        to = f"../connection/?account__id__exact={account.pk}"
        return format_html('<a href="{}">{}</a>', to, account.state.numbers)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An account needs an agent and a key too: ``manage.py create_account`` makes all three."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        """Deactivate instead; the ledgers refer to the account."""
        return False


@admin.register(User)
class UserAdmin(Page):
    """People; passwords are neither shown nor set here."""

    list_display = ["email", "name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["email", "name"]
    fields = ["email", "name", "is_active", "is_staff", "is_superuser", "groups", "last_login", "created_at"]
    readonly_fields = ["last_login", "created_at"]
    filter_horizontal = ["groups"]
    ordering = ["-id"]
    paginator = BriefPaginator
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Let operators raise nobody above themselves, nor take over another operator's address."""
        if request.user.is_superuser:
            return list(self.readonly_fields)
        mine = ["is_staff", "is_superuser", "groups", *(["email"] if obj and obj.is_staff else [])]
        return [*self.readonly_fields, *mine]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People sign up; operators are made with ``manage.py createsuperuser``."""
        return False


@admin.register(Agent)
class AgentAdmin(Ledger):
    """Senders within accounts."""

    list_display = ["name", "account", "is_default", "created_at"]
    search_fields = ["name", "id", "account__name", "account__email"]
    list_select_related = ["account"]


@admin.register(Number)
class ConnectionAdmin(Ledger):
    """Numbers: their state as Meta told it. Tokens and app secrets are not among the fields."""

    list_display = [
        "phone",
        "account",
        "phone_number_id",
        "status",
        "messages_per_second",
        "paused_until",
        "verified_at",
    ]
    list_filter = [
        "status",
        ("paused_until", admin.EmptyFieldListFilter),
        ("breaker_open_since", admin.EmptyFieldListFilter),
    ]
    search_fields = ["display_phone", "phone_number_id", "waba_id", "account__name", "account__email"]
    list_select_related = ["account"]
    fields = (
        "id",
        "account",
        "agent",
        "display_phone",
        "verified_name",
        "phone_number_id",
        "waba_id",
        "has_access_token",
        "has_app_secret",
        "status",
        "status_reason",
        "messages_per_second",
        "next_slot_at",
        "paused_until",
        "breaker_open_since",
        "checks",
        "verified_at",
        "removed_at",
        "created_at",
        "updated_at",
    )
    readonly_fields = fields
    actions = ["pause_for_an_hour", "resume"]

    @admin.display(description="phone", ordering="display_phone")
    def phone(self, number: Number) -> str:
        """Show the number as people write it."""
        return f"+{number.display_phone}" if number.display_phone else "not verified yet"

    @admin.display(description="access token saved", boolean=True)
    def has_access_token(self, number: Number) -> bool:
        """Say whether there is one; never which."""
        return bool(number.access_token_sealed)

    @admin.display(description="app secret saved", boolean=True)
    def has_app_secret(self, number: Number) -> bool:
        """Say whether there is one; never which."""
        return bool(number.app_secret_sealed)

    @admin.action(description="Pause sending for an hour", permissions=["operate"])
    def pause_for_an_hour(self, request: HttpRequest, numbers: QuerySet[Number]) -> None:
        """Stop claiming for these numbers; their messages wait. The owner sees that, and not who did it."""
        until = timezone.now() + timedelta(hours=1)
        chosen = list(numbers.filter(removed_at=None))
        said = f"Paused by the operator of this service until {until:%H:%M} UTC."
        numbers.filter(pk__in=[one.pk for one in chosen]).update(paused_until=until, status_reason=said)
        self._note(request, chosen, "paused for an hour")

    @admin.action(description="Resume sending", permissions=["operate"])
    def resume(self, request: HttpRequest, numbers: QuerySet[Number]) -> None:
        """Lift a pause; a number held for its credentials needs new ones instead."""
        chosen = list(numbers.exclude(status=Number.Status.HELD).filter(removed_at=None))
        numbers.filter(pk__in=[one.pk for one in chosen]).update(paused_until=None, status_reason="")
        wake("messages")
        self._note(request, chosen, "resumed")

    def _note(self, request: HttpRequest, numbers: list[Number], what: str) -> None:
        for number in numbers:
            self.log_change(request, number, what)
        self.message_user(request, f"{len(numbers)} {what}.", messages.SUCCESS)


@admin.register(ApiKey)
class ApiKeyAdmin(Ledger):
    """Keys: prefix and last four digits; the rest is known to their holders alone."""

    list_display = ["masked", "account", "name", "kind", "last_used_at", "expires_at", "revoked_at"]
    list_filter = ["kind"]
    search_fields = ["name", "last_four", "account__name", "account__email"]
    list_select_related = ["account"]
    exclude = ["digest"]
    actions = ["revoke"]

    @admin.display(description="key")
    def masked(self, key: ApiKey) -> str:
        """Show what may be shown of a key."""
        return str(key)

    @admin.action(description="Revoke at once", permissions=["operate"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        """Make keys invalid; this cannot be undone."""
        keys.filter(revoked_at=None).update(
            revoked_at=timezone.now(), revoked_reason=f"revoked by {request.user}"[:200]
        )


@admin.register(AuditEvent)
class AuditEventAdmin(Ledger):
    """What people did in their accounts, and operators about them."""

    list_display = ["at", "account", "actor", "action", "target", "details"]
    list_select_related = ["account"]
    list_filter = ["internal"]
    search_fields = ["account__name", "account__email", "actor"]
    ordering = ["-id"]
