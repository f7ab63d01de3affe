"""Re-sealing stored credentials with the newest key, row by row, resumable at any point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from accounts import vault
from accounts.models import Connection

#: every sealed column of the product: model, column of the sealed text, name it is bound to
SEALED = [
    (Connection, "access_token_sealed", "access_token"),
    (Connection, "app_secret_sealed", "app_secret"),
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
    for model, column, name in SEALED:
        stale = model.objects.exclude(Q(**{column: ""})).order_by("pk").values_list("pk", flat=True)
        for pk in list(stale):
            with transaction.atomic():
                row = model.objects.select_for_update().get(pk=pk)
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
                        model.objects.filter(pk=pk).update(**{column: fresh})
                        count.resealed += 1
            yield count
