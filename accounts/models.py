"""Tables of who: Account, User, Membership, Agent, Number, ApiKey."""

from __future__ import annotations

import secrets
import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import vault
from core.ids import uuid7
from core.secret import Secret

#: contract 1.6; kept as text here because billing stands above accounts and owns the table of limits
PLANS = ["free", "basic", "pro", "enterprise"]


class Account(models.Model):
    """A customer: the tenant that owns everything else."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    email = models.EmailField(max_length=254)
    plan = models.CharField(max_length=20, default="free", choices=[(p, p) for p in PLANS])
    is_active = models.BooleanField(default=True)
    #: messages that Meta accepted, ever; counted with the status that proves it (messaging.status.timeline)
    messages_sent = models.BigIntegerField(default=0)
    #: where the customer stands in the guided set-up; theirs to write (PUT /auth/me/onboarding)
    onboarding = models.JSONField(default=dict, blank=True)
    #: since when somebody who proved the address owns it; registering by API proves nothing
    claimed_at = models.DateTimeField(null=True, blank=True)
    #: when the guided set-up was finished or put aside; until then the dashboard offers it
    set_up_at = models.DateTimeField(null=True, blank=True)
    #: when its owner closed it; its rows are deleted a week later
    closed_at = models.DateTimeField(null=True, blank=True)
    #: messages that ended this many days ago are deleted; None: kept
    retention_days = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="account_email_once")]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Makes users; an address is compared without regard to case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a person who may sign in (``password=None``: not yet)."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create an operator of the service (Django admin)."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Find a user at sign-in."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person; signs in by e-mail."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    #: how the dashboard speaks to this person; empty: as the browser asks
    language = models.CharField(max_length=10, blank=True)
    #: a name of the IANA database; empty: UTC
    timezone = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.email


class Membership(models.Model):
    """A person's role in an account."""

    class Role(models.TextChoices):
        """Owner: everything; admin: everything but billing; member: sends and reads."""

        OWNER = "owner", _("Owner")
        ADMIN = "admin", _("Admin")
        MEMBER = "member", _("Member")

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Invitation(models.Model):
    """An offer of a membership, sent by mail; only a digest of the link's secret is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=Membership.Role.choices, default=Membership.Role.MEMBER)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "account", Lower("email"), condition=Q(accepted_at=None), name="invitation_open_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.role})"


class AuditEvent(models.Model):
    """One line of the audit log: who did what to what. Written once, never changed (``accounts.audit``)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="audit_events")
    #: a person's address or a key's beginning, as it was then
    actor = models.CharField(max_length=254, blank=True)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=254, blank=True)
    details = models.JSONField(default=dict, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    #: what operators did about the account, and why: its people do not see it
    internal = models.BooleanField(default=False, db_default=False)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["account", "-at"], name="audit_by_account")]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action}"


class Agent(models.Model):
    """Who speaks for an account: a brand, a branch, a bot. Every account has a default one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="agents")
    name = models.CharField(max_length=200)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(is_default=True), name="agent_one_default_per_account"
            )
        ]

    def __str__(self) -> str:
        return self.name


def new_callback_key() -> str:
    """Return the unguessable last part of a number's own callback path."""
    return secrets.token_urlsafe(24)


class Number(models.Model):
    """A WhatsApp number with the Meta credentials that send from it.

    A number that was replaced or removed keeps its row (``removed_at``), emptied of its credentials:
    its messages and late callbacks still belong to it.
    """

    class Status(models.TextChoices):
        """``held``: Meta refused the credentials; the queue waits for new ones."""

        UNVERIFIED = "unverified"
        ACTIVE = "active"
        HELD = "held"
        REMOVED = "removed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="connections")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="connections")
    is_default = models.BooleanField(default=True)
    #: the owner's switch: an inactive number takes no new messages under /v1
    is_active = models.BooleanField(default=True, db_default=True)
    #: digits of the number, as customers see it; empty until Meta has told it
    display_phone = models.CharField(max_length=15, blank=True)
    verified_name = models.CharField(max_length=200, blank=True)
    phone_number_id = models.CharField(max_length=20)
    waba_id = models.CharField(max_length=20, blank=True)
    access_token_sealed = models.TextField(blank=True, editable=False)
    app_secret_sealed = models.TextField(blank=True, editable=False)
    callback_key = models.CharField(max_length=64, unique=True, default=new_callback_key)
    verify_token = models.CharField(max_length=64, default=new_callback_key)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.UNVERIFIED)
    status_reason = models.TextField(blank=True)
    #: messages a second that Meta lets this number send (80; 1,000 when throughput is HIGH)
    messages_per_second = models.FloatField(default=80)
    #: the next free slot of that rate; claiming reserves slots by moving it forward
    next_slot_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: nothing is claimed for this number before then
    paused_until = models.DateTimeField(null=True, blank=True)
    #: rate at the moment the number was slowed down (130429, a resume); it climbs back from there
    slowed_to = models.FloatField(null=True, blank=True, editable=False)
    slowed_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: the circuit breaker: Meta has been failing for this number since then; one probe at a time
    breaker_open_since = models.DateTimeField(null=True, blank=True)
    #: when the owner was told that the number is held
    held_notice_at = models.DateTimeField(null=True, blank=True, editable=False)
    checks = models.JSONField(default=list, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    #: since when Meta's answers to this token have shown that it reaches this number; who has not shown it
    #: hears nothing of the number and stands in nobody's way
    proven_at = models.DateTimeField(null=True, blank=True)
    #: the WhatsApp account that such an answer showed to own the number
    proven_waba_id = models.CharField(max_length=20, blank=True, default="", db_default="")
    #: when Meta is asked for that proof by itself; None: nothing is left to ask
    proof_due_at = models.DateTimeField(null=True, blank=True, default=timezone.now, db_default=Now())
    #: when the present token was saved
    credentials_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        # The table and the columns of others that point here keep the name they had.
        db_table = "accounts_connection"
        constraints = [
            # W51: a number belongs to one account at a time, to the one whose token was shown to reach it.
            models.UniqueConstraint(
                fields=["phone_number_id"],
                condition=Q(removed_at=None, proven_at__isnull=False),
                name="connection_proven_once",
            ),
            models.UniqueConstraint(
                fields=["account", "phone_number_id"],
                condition=Q(removed_at=None),
                name="connection_number_once_per_account",
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(is_default=True, removed_at=None),
                name="connection_one_default_per_account",
            ),
        ]
        indexes = [
            models.Index(fields=["phone_number_id"], name="connection_by_number"),
            models.Index(fields=["waba_id"], name="connection_by_waba"),
            models.Index(
                fields=["proven_waba_id"],
                condition=~Q(proven_waba_id=""),
                name="connection_by_proven_waba",
            ),
            models.Index(
                fields=["proof_due_at"],
                condition=Q(proof_due_at__isnull=False),
                name="connection_to_prove",
            ),
        ]

    def __str__(self) -> str:
        return self.display_phone or self.phone_number_id

    def __repr__(self) -> str:
        return f"<Number {self.id} {self.phone_number_id}>"

    def context(self, column: str) -> str:
        """Name the place that a sealed value of this row is bound to."""
        return f"connection:{self.account_id}:{self.id}:{column}"

    @property
    def access_token(self) -> Secret:
        """Open the Meta access token; an empty ``Secret`` when there is none. Raises ``vault.CannotOpen``."""
        return vault.unseal(self.access_token_sealed, context=self.context("access_token"))

    @access_token.setter
    def access_token(self, value: Secret) -> None:
        self.access_token_sealed = vault.seal(value, context=self.context("access_token"))

    @property
    def app_secret(self) -> Secret:
        """Open the Meta app secret; empty when the customer gave none. Raises ``vault.CannotOpen``."""
        return vault.unseal(self.app_secret_sealed, context=self.context("app_secret"))

    @app_secret.setter
    def app_secret(self, value: Secret) -> None:
        self.app_secret_sealed = vault.seal(value, context=self.context("app_secret"))


class ApiKey(models.Model):
    """A key of either format; only a digest of it is kept."""

    class Kind(models.TextChoices):
        """The two published formats (contract 1.2, 2.2)."""

        SK = "sk_live"
        MK = "mk_live"
        SK_TEST = "sk_test"  # behaves like dry_run
        MK_TEST = "mk_test"  # likewise

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="api_keys")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=100)
    #: SHA-256 of the whole key. The key has at least 130 random bits, so a plain hash is enough
    #: (ASVS 6.5.2) and the look-up is one indexed equality, with nothing to compare byte by byte.
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    prefix = models.CharField(max_length=16)
    last_four = models.CharField(max_length=4)
    scopes = models.JSONField(default=list)
    agent_ids = models.JSONField(null=True, blank=True)
    rate_limit_per_minute = models.PositiveIntegerField(null=True, blank=True)
    #: the first key of a row of rotations, in whose window all of them are counted; null: this one
    rotated_from = models.UUIDField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.prefix}…{self.last_four}"

    @property
    def is_test(self) -> bool:
        """Tell whether nothing sent with this key reaches Meta."""
        return self.kind in (self.Kind.SK_TEST, self.Kind.MK_TEST)

    @property
    def is_scoped(self) -> bool:
        """Tell whether this is one of the ``mk_`` keys, which belong to the larger plans."""
        return self.kind in (self.Kind.MK, self.Kind.MK_TEST)

    @property
    def window(self) -> uuid.UUID:
        """The name under which requests with this key are counted; a rotation keeps it."""
        return self.rotated_from or self.pk

    def may_use(self, agent_id: uuid.UUID | None) -> bool:
        """Tell whether the key's list of agents, if it has one, holds this agent."""
        return self.agent_ids is None or str(agent_id) in self.agent_ids
