"""Django admin of accounts: activity may be changed, credentials never seen."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Account, Agent, ApiKey, Connection, Membership, User
from config.admin import Inline, Ledger, Page


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

    list_display = ["name", "email", "plan", "is_active", "messages_sent", "numbers", "created_at"]
    list_filter = ["plan", "is_active"]
    search_fields = ["name", "email", "id"]
    readonly_fields = ["id", "plan", "messages_sent", "created_at"]
    inlines = [MembershipInline]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        """Count the numbers in the same query."""
        return super().get_queryset(request).annotate(numbers_connected=Count("connections"))

    @admin.display(description="numbers")
    def numbers(self, account: Account) -> int:
        """Return how many numbers were ever connected."""
        return int(getattr(account, "numbers_connected", 0))

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

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People sign up; operators are made with ``manage.py createsuperuser``."""
        return False


@admin.register(Agent)
class AgentAdmin(Ledger):
    """Senders within accounts."""

    list_display = ["name", "account", "is_default", "created_at"]
    search_fields = ["name", "id", "account__name", "account__email"]
    list_select_related = ["account"]


@admin.register(Connection)
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
    list_filter = ["status"]
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
        "checks",
        "verified_at",
        "removed_at",
        "created_at",
        "updated_at",
    )
    readonly_fields = fields
    actions = ["pause_for_an_hour", "resume"]

    @admin.display(description="phone", ordering="display_phone")
    def phone(self, number: Connection) -> str:
        """Show the number as people write it."""
        return f"+{number.display_phone}" if number.display_phone else "not verified yet"

    @admin.display(description="access token saved", boolean=True)
    def has_access_token(self, number: Connection) -> bool:
        """Say whether there is one; never which."""
        return bool(number.access_token_sealed)

    @admin.display(description="app secret saved", boolean=True)
    def has_app_secret(self, number: Connection) -> bool:
        """Say whether there is one; never which."""
        return bool(number.app_secret_sealed)

    @admin.action(description="Pause sending for an hour")
    def pause_for_an_hour(self, request: HttpRequest, numbers: QuerySet[Connection]) -> None:
        """Stop claiming for these numbers; their messages wait."""
        until = timezone.now() + timedelta(hours=1)
        numbers.update(paused_until=until, status_reason=f"Paused by {request.user} until {until:%H:%M} UTC.")

    @admin.action(description="Resume sending")
    def resume(self, request: HttpRequest, numbers: QuerySet[Connection]) -> None:
        """Lift a pause; a number held for its credentials needs new ones instead."""
        numbers.exclude(status=Connection.Status.HELD).update(paused_until=None, status_reason="")


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

    @admin.action(description="Revoke at once")
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        """Make keys invalid; this cannot be undone."""
        keys.filter(revoked_at=None).update(
            revoked_at=timezone.now(), revoked_reason=f"revoked by {request.user}"[:200]
        )
