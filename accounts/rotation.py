"""Key rotation: stored credentials sealed again with the newest key, row by row, resumable at any point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import transaction
from django.db.models import Model, Q

from accounts import vault
from accounts.signing_in import CONTEXT

#: what of a second factor is sealed: the secret of an app, the seed of the recovery codes
SECOND_FACTORS = ("secret", "seed")


def sealed_columns() -> list[tuple[type[Model], str, str]]:
    """List every sealed column of the product: model, column, and the name that its value is bound to.

    They are found by their names: a column ``<name>_sealed``, in a model that has ``context(name)``.
    """
    return [
        (model, column.name, column.name.removesuffix("_sealed"))
        for model in apps.get_models()
        for column in model._meta.concrete_fields
        if column.name.endswith("_sealed")
    ]


@dataclass(slots=True)
class Count:
    """What a rotation did."""

    resealed: int = 0
    current: int = 0
    unreadable: int = 0


def rotate() -> Iterator[Count]:
    """Seal every value with the first key of CREDENTIALS_KEYS; yields the running count after each row.

    Each row is a transaction of its own under a lock, and both old and new values open throughout, so
    the work may be stopped and started again anywhere. A value that no key opens is counted and left.
    """
    count = Count()
    for model, column, name in sealed_columns():
        rows = model._default_manager
        stale = rows.exclude(Q(**{column: ""})).order_by("pk").values_list("pk", flat=True)
        for pk in list(stale):
            with transaction.atomic():
                row: Any = rows.select_for_update().get(pk=pk)
                sealed = getattr(row, column)
                if vault.is_current(sealed):
                    count.current += 1
                else:
                    try:
                        secret = vault.unseal(sealed, context=row.context(name))
                    except vault.CannotOpen:
                        count.unreadable += 1
                    else:
                        fresh = vault.seal(secret, context=row.context(name))
                        rows.filter(pk=pk).update(**{column: fresh})
                        count.resealed += 1
            yield count
    yield from _second_factors(count)


def _second_factors(count: Count) -> Iterator[Count]:
    """Do the same for the secrets of second factors, which stand in a JSON column of django-allauth."""
    for pk in list(Authenticator.objects.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            row = Authenticator.objects.select_for_update().get(pk=pk)
            for name in SECOND_FACTORS:
                sealed = row.data.get(name)
                if not isinstance(sealed, str) or vault.is_current(sealed):
                    count.current += isinstance(sealed, str)
                    continue
                try:
                    row.data[name] = vault.seal(vault.unseal(sealed, context=CONTEXT), context=CONTEXT)
                except vault.CannotOpen:
                    count.unreadable += 1
                else:
                    count.resealed += 1
                    row.save(update_fields=["data"])
        yield count
