"""Team: who belongs to an account and may do what; invitations, roles, leaving; an owner always remains."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import audit
from accounts.models import Account, Invitation, Membership, User
from accounts.registration import check_email
from core.errors import Refusal, invalid
from core.secret import Secret

#: an invitation that nobody took in that time ends
INVITATION_DAYS = 7
#: people and open invitations of one account together
LARGEST_TEAM = 100


def proven_addresses(user: User) -> list[str]:
    """Return the addresses that are a person's for sure, in small letters."""
    found = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    return [email.lower() for email in found]


def members(account: Account) -> list[Membership]:
    """Return the people of an account, the first first."""
    return list(account.memberships.select_related("user").order_by("pk"))


def open_invitations(account: Account) -> list[Invitation]:
    """Return the invitations that nobody took yet, the newest first."""
    return list(account.invitations.filter(accepted_at=None).order_by("-created_at"))


@transaction.atomic
def invite(account: Account, *, email: str, role: str, by: User) -> tuple[Invitation, Secret]:
    """Offer a membership; the second value is the secret of the link to mail, kept nowhere else.

    An open invitation to the same address is replaced. Raises ``Invalid`` (no address, already a member)
    and ``Refusal`` (``conflict``: the team is full).
    """
    email = email.strip()
    check_email(email)
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if account.memberships.filter(user__email__iexact=email).exists():
        raise invalid("email", "This person belongs to the account already.")
    account.invitations.filter(Q(email__iexact=email), accepted_at=None).delete()
    size = account.memberships.count() + account.invitations.filter(accepted_at=None).count()
    if size >= LARGEST_TEAM:
        raise Refusal("conflict", f"An account has at most {LARGEST_TEAM} members and open invitations.")
    secret = secrets.token_urlsafe(32)
    made = Invitation.objects.create(
        account=account,
        email=email,
        role=Membership.Role(role),
        digest=_digest(secret),
        invited_by=by,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    return made, Secret(secret)


def invitation_of(secret: str) -> Invitation:
    """Find the open invitation that a link's secret belongs to. Raises ``Refusal`` (``not_found``)."""
    found = _open().filter(digest=_digest(secret)).first()
    if found is None:
        raise Refusal("not_found", "This invitation has ended. Ask for a new one.")
    return found


def invitations_for(user: User) -> list[Invitation]:
    """Return the open invitations to a person's proven addresses."""
    addresses = proven_addresses(user)
    wanted = Q(pk__in=[])
    for address in addresses:
        wanted |= Q(email__iexact=address)
    return list(_open().filter(wanted).order_by("created_at"))


@transaction.atomic
def accept(user: User, invitation_id: uuid.UUID) -> Membership:
    """Join the account that invited one of this person's proven addresses.

    Raises ``Refusal`` (``not_found``) for an invitation that ended or was for somebody else.
    """
    # The account's row first, as everybody does who counts its team or adds to it.
    Account.objects.select_for_update(no_key=True).filter(invitations=invitation_id).first()
    held = _open().select_for_update(of=("self",)).filter(pk=invitation_id).first()
    if held is None or held.email.lower() not in proven_addresses(user):
        raise Refusal("not_found", "This invitation has ended, or is for another address.")
    membership, _ = Membership.objects.get_or_create(
        account=held.account, user=user, defaults={"role": held.role}
    )
    held.accepted_at = timezone.now()
    held.save(update_fields=["accepted_at"])
    audit.record(held.account, "member.joined", actor=user.email, role=membership.role)
    return membership


def withdraw(account: Account, invitation_id: uuid.UUID) -> Invitation:
    """Take an open invitation back. Raises ``Refusal`` (``not_found``)."""
    found = account.invitations.filter(pk=invitation_id, accepted_at=None).first()
    if found is None:
        raise Refusal("not_found", "No open invitation found with this id.")
    found.delete()
    return found


@transaction.atomic
def change_role(account: Account, membership_id: int, role: str, *, by: Membership) -> Membership:
    """Give a member another role. Raises ``Refusal``: ``not_found``, ``forbidden`` or ``conflict``."""
    member = _member(account, membership_id)
    _may(by, member, role)
    if member.role == Membership.Role.OWNER and role != Membership.Role.OWNER:
        _keep_an_owner(account, member)
    member.role = Membership.Role(role)
    member.save(update_fields=["role"])
    return member


@transaction.atomic
def remove(account: Account, membership_id: int, *, by: Membership) -> Membership:
    """End a membership, one's own or another's. Raises ``Refusal`` as ``change_role`` does."""
    member = _member(account, membership_id)
    if member.pk != by.pk:
        _may(by, member, member.role)
    if member.role == Membership.Role.OWNER:
        _keep_an_owner(account, member)
    Membership.objects.filter(pk=member.pk).delete()
    return member


def _open() -> QuerySet[Invitation]:
    found = Invitation.objects.filter(accepted_at=None, expires_at__gt=timezone.now())
    return found.filter(account__is_active=True).select_related("account", "invited_by")


def _member(account: Account, membership_id: int) -> Membership:
    # One change of a team at a time: two owners must not remove each other in the same moment.
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    found = account.memberships.select_related("user").filter(pk=membership_id).first()
    if found is None:
        raise Refusal("not_found", "No member found with this id.")
    return found


def _may(by: Membership, member: Membership, role: str) -> None:
    owners = Membership.Role.OWNER
    if by.role != owners and owners in (member.role, role):
        raise Refusal("forbidden", "Only an owner can change or make an owner.")


def _keep_an_owner(account: Account, member: Membership) -> None:
    others = account.memberships.filter(role=Membership.Role.OWNER).exclude(pk=member.pk)
    if not others.exists():
        raise Refusal("conflict", "An account needs an owner. Make somebody else one first.")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
