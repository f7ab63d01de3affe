"""Recipients that an account must not write to: by hand, by a stop word, by what Meta reports."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable

from accounts.models import Account
from core.sql import rows
from messaging.models import Suppression
from messaging.status.timeline import Failure

OPTED_OUT = Failure(
    "recipient_opted_out",
    "This recipient is on your suppression list, so nothing was sent. "
    "Remove the number with DELETE /suppressions if the person has asked for messages again.",
)

#: characters; a longer message is a conversation
LONGEST_COMMAND = 40
#: what people write to be left alone, and to be written to again; the whole message must be the word
STOP_WORDS = """
stop stopall unsubscribe cancel end quit optout arret arrete arreter desabonner parar pare cancelar baja salir
stopp abmelden abbestellen ferma annulla cancella disiscriviti afmelden stoppen прекратить стоп отписаться
إيقاف توقف الغاء إلغاء रोकें बंद dur durdur iptal berhenti hentikan 停止 退订 取消 停止する 解除 중지 수신거부
wypisz stopuj zastav odhlasit αποχωρω σταματηστε הפסק הסר
"""
START_WORDS = """
start unstop subscribe resume anmelden abonnieren reanudar alta iniciar retomar reprendre abonner inizia
riprendi старт возобновить ابدأ اشترك शुरू baslat mulai lanjut 开始 订阅 再開 시작
"""


def normalised(text: str) -> str:
    """Fold case, accents and punctuation away, so that ``Stop!`` and ``ARRÊT`` are found."""
    folded = unicodedata.normalize("NFKD", text.strip().casefold())
    bare = "".join(char for char in folded if not unicodedata.combining(char))
    # Letters, marks that are letters in their script (Hindi's vowel signs) and digits; nothing else.
    return "".join(char for char in bare if unicodedata.category(char)[0] in "LMN")


_STOP = frozenset(map(normalised, STOP_WORDS.split()))
_START = frozenset(map(normalised, START_WORDS.split()))


def is_command(text: str | None) -> bool:
    """Tell whether a message is nothing but a stop or start word."""
    return text is not None and len(text) <= LONGEST_COMMAND and normalised(text) in _STOP | _START


def listen(account_id: uuid.UUID, phone: str, text: str | None) -> None:
    """Follow what a customer wrote: a stop word suppresses the number, a start word lifts that again.

    A number that was suppressed by hand stays so.
    """
    if not phone or text is None or len(text) > LONGEST_COMMAND:
        return
    word = normalised(text)
    if word in _STOP:
        suppress(account_id, phone, reason=Suppression.Reason.STOP_WORD, note=text.strip()[:40])
    elif word in _START:
        Suppression.objects.filter(
            account_id=account_id, phone=phone, reason=Suppression.Reason.STOP_WORD
        ).delete()


def suppress(
    account_id: uuid.UUID,
    phone: str,
    *,
    reason: Suppression.Reason,
    marketing_only: bool = False,
    note: str = "",
) -> Suppression:
    """Put a number on the list; a wider suppression that is there already stays."""
    row, fresh = Suppression.objects.get_or_create(
        account_id=account_id,
        phone=phone,
        defaults={"reason": reason, "marketing_only": marketing_only, "note": note},
    )
    if fresh:
        return row
    by_hand = reason == Suppression.Reason.MANUAL and row.reason != reason
    wider = row.marketing_only and not marketing_only
    if wider or by_hand:
        # What somebody did by hand stays until somebody undoes it by hand.
        row.marketing_only = row.marketing_only and marketing_only
        if by_hand or row.reason != Suppression.Reason.MANUAL:
            row.reason, row.note = reason, note
        row.save(update_fields=["marketing_only", "reason", "note"])
    return row


def lift(account_id: uuid.UUID, phone: str, *, marketing_only: bool = False) -> bool:
    """Take a number off the list; ``marketing_only`` lifts only what Meta reported. True: it was there."""
    listed = Suppression.objects.filter(account_id=account_id, phone=phone)
    if marketing_only:
        listed = listed.filter(marketing_only=True, reason=Suppression.Reason.META)
    return bool(listed.delete()[0])


_AMONG = "SELECT phone, marketing_only FROM messaging_suppression WHERE account_id = %s AND phone = ANY(%s)"


def page(account: Account, *, limit: int, phone: str = "", before: int | None = None) -> list[Suppression]:
    """Return the newest entries of the list, one more than ``limit`` when there are older ones."""
    rows = Suppression.objects.filter(account=account).order_by("-id")
    if phone:
        rows = rows.filter(phone=phone)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows[: limit + 1])


def among(account: Account, phones: Iterable[str]) -> dict[str, bool]:
    """Return those of ``phones`` that are on the list, and whether only marketing is refused."""
    return dict(rows(_AMONG, [account.pk, list(set(phones))]))
