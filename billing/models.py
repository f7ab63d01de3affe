"""The tables of billing: what Stripe said, what was bought, and the counters of messages used."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from accounts.models import Account
from accounts.plans import Plan
from core.ids import uuid7


class Customer(models.Model):
    """An account as billing sees it: its Stripe customer, what an operator decided, and its lock.

    The row is locked by whoever changes the account's plan, limit or period; sends do not need it.
    """

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="billing_customer"
    )
    stripe_id = models.CharField(max_length=100, null=True, blank=True, unique=True)
    #: part of the idempotency key of its creation: a deleted customer must not be answered again
    generation = models.PositiveIntegerField(default=0)
    #: the open checkout; expired before another begins, so that nobody pays twice
    open_session = models.CharField(max_length=200, blank=True)
    #: the plan that an operator gave before anything was bought; what remains when nothing is paid
    granted_plan = models.CharField(max_length=20, choices=Plan.choices, default=Plan.FREE)
    override_plan = models.CharField("plan override", max_length=20, choices=Plan.choices, blank=True)
    override_reason = models.CharField(max_length=300, blank=True)
    override_until = models.DateTimeField("override ends at", null=True, blank=True)
    #: a monthly cap agreed with this customer, instead of the plan's
    monthly_messages = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Messages in a billing period; empty: as the plan says."
    )
    #: fetches from Stripe are numbered as they begin; an answer older than the applied one is not applied
    fetches = models.BigIntegerField(default=0, editable=False)
    applied_fetch = models.BigIntegerField(default=0, editable=False)
    synced_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "billing of an account"
        verbose_name_plural = "billing of accounts"

    def __str__(self) -> str:
        return str(self.account)


class Subscription(models.Model):
    """A Stripe subscription as Stripe last described it."""

    id = models.CharField(max_length=100, primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="subscriptions")
    status = models.CharField(max_length=30)
    #: by its price; empty: a price that is none of ours
    plan = models.CharField(max_length=20, choices=Plan.choices, blank=True)
    period_start_at = models.DateTimeField(null=True, blank=True)
    period_end_at = models.DateTimeField(null=True, blank=True)
    #: when it ends by itself, as the customer asked in the portal
    cancel_at = models.DateTimeField(null=True, blank=True)
    #: what it changes to by itself, and when: a downgrade waits for the end of the period
    next_plan = models.CharField(max_length=20, choices=Plan.choices, blank=True)
    next_plan_at = models.DateTimeField(null=True, blank=True)
    #: since when we know that a payment is missing; the grace time begins here
    past_due_since = models.DateTimeField(null=True, blank=True)
    #: how many mails about it were sent: 1 at the beginning, 2 a day before the end, 3 at the end
    past_due_mails = models.PositiveSmallIntegerField(default=0)
    fetched_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["past_due_since"],
                condition=Q(past_due_since__isnull=False),
                name="subscription_past_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.plan or 'unknown plan'}, {self.status}"


class StripeEvent(models.Model):
    """The table in which the version before kept Stripe's events; this one only empties it.

    See ``billing.old_event_table``. Events are in the inbox now (``webhooks.InboundEvent``).
    """

    id = models.CharField(max_length=100, primary_key=True)
    type = models.CharField(max_length=100)
    #: what to ask about: the customer, and the object itself where the customer is not enough
    customer = models.CharField(max_length=100, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.BigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    applied_at = models.DateTimeField(null=True, blank=True)
    trouble = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="stripe_event_due"),
            models.Index(fields=["received_at"], name="stripe_event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class AddOn(models.Model):
    """Extra messages or agents that were paid for; they end with the billing period."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="add_ons")
    code = models.CharField(max_length=30)
    quantity = models.PositiveIntegerField(default=1)
    messages = models.BigIntegerField(default=0)
    agents = models.PositiveIntegerField(default=0)
    #: one checkout is one add-on, however often Stripe tells of it
    session = models.CharField(max_length=200, unique=True)
    payment = models.CharField(max_length=100, blank=True, db_index=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    #: the money went back: refunded, or a dispute was lost
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "add-on"
        indexes = [models.Index(fields=["account", "ends_at"], name="add_on_of_account")]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.code}"


class Dispute(models.Model):
    """A payment that the customer's bank takes back, as Stripe last described it."""

    id = models.CharField(max_length=100, primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="disputes")
    status = models.CharField(max_length=40)
    reason = models.CharField(max_length=60, blank=True)
    payment = models.CharField(max_length=100, blank=True)
    fetched_at = models.DateTimeField()
    #: an operator made peace: a lost dispute no longer keeps the account on the free plan
    settled_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.status} {self.id}"


class Adjustment(models.Model):
    """Messages that an operator added to (or took from) one billing period; may be taken back."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="adjustments")
    messages = models.BigIntegerField(help_text="Negative takes away.")
    reason = models.CharField(max_length=300)
    actor = models.CharField(max_length=254, editable=False)
    starts_at = models.DateTimeField(editable=False)
    ends_at = models.DateTimeField(editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "quota adjustment"
        indexes = [models.Index(fields=["account", "ends_at"], name="adjustment_of_account")]

    def __str__(self) -> str:
        return f"{self.messages:+,}"


class QuotaPeriod(models.Model):
    """A billing period of an account, its limit and, once it is over, how many messages it took."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="quota_periods")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    #: plan, add-ons and adjustments together; null: no limit
    limit = models.BigIntegerField(null=True, blank=True)
    #: counted together when the period is over; until then the slots know
    used = models.BigIntegerField(null=True, blank=True)
    #: the highest warning that was published, and mailed: 0, 80 or 100 percent
    warned = models.PositiveSmallIntegerField(default=0)
    mailed = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "starts_at"], name="quota_period_once"),
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("starts_at")), name="quota_period_runs_forward"
            ),
        ]
        indexes = [
            models.Index(fields=["ends_at"], condition=Q(used__isnull=True), name="quota_period_open"),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"


class QuotaSlot(models.Model):
    """A part of a period's quota with a lock of its own (billing.quota explains why)."""

    period = models.ForeignKey(QuotaPeriod, on_delete=models.CASCADE, related_name="slots")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    ends_at = models.DateTimeField()
    slot = models.PositiveSmallIntegerField()
    granted = models.BigIntegerField()
    used = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["period", "slot"], name="quota_slot_once"),
            models.CheckConstraint(condition=Q(used__gte=0), name="quota_slot_not_negative"),
        ]
        # No counter is part of an index, so that counting rewrites none (heap-only updates).
        indexes = [models.Index(fields=["account", "ends_at"], name="quota_slot_of_account")]

    def __str__(self) -> str:
        return f"{self.used} of {self.granted}"
