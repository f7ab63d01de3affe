"""The dashboard's conversations: one thread per customer and number, its 24-hour window, the reply box."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.dashboard.base import DashboardView, id_of, ident
from core.errors import Refusal
from core.ui.forms import take
from messaging.compose.drafts import TEXT_LONGEST
from messaging.dashboard.base import PAGE, OncePerForm, clean, new_token
from messaging.inbound import conversations
from messaging.models import Contact

#: messages of a thread that a page shows; older ones are a page back
THREAD = 40
SECONDS = 4


class Conversations(DashboardView):
    """``/app/conversations``: who wrote last, or everybody."""

    section = "conversations"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Draw the list: customers who wrote (``replied``), all by their last message, or a search."""
        now = timezone.now()
        search, shows_all = clean(request.GET.get("q")), request.GET.get("show") == "all"
        before = clean(request.GET.get("before"))
        if search:
            found = conversations.search(self.account, search, at=now, limit=PAGE)
        elif shows_all:
            found = conversations.latest(self.account, at=now, limit=PAGE, cursor=ident(before))
        else:
            found = conversations.answered(self.account, at=now, limit=PAGE, cursor=before)
        return self.page(
            "app/conversations/list.html",
            threads=found.conversations,
            older=found.next_cursor or "",
            search=search,
            shows_all=shows_all,
            is_later=bool(before),
            now=now,
        )


class ReplyForm(forms.Form):
    """What is answered."""

    body = forms.CharField(
        label=gettext_lazy("Your reply"),
        max_length=TEXT_LONGEST,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
    )
    token = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)


class Conversation(DashboardView):
    """``/app/conversations/<id>``: the thread, moving by itself, and the reply box."""

    section = "conversations"

    def get(self, request: HttpRequest, contact_id: str) -> HttpResponse:
        """Draw the page, or for the open page only its thread when something in it has changed."""
        contact = conversations.find(self.account, id_of(contact_id))
        if request.headers.get("HX-Target") != "thread":
            return self.draw(contact, ReplyForm(initial={"token": new_token()}))
        context = self.thread(contact)
        if request.GET.get("seen") == context["mark"]:
            return HttpResponse(status=204)
        return self.page("app/conversations/thread.html", **context)

    def post(self, request: HttpRequest, contact_id: str) -> HttpResponse:
        """Queue the reply."""
        contact = conversations.find(self.account, id_of(contact_id))
        form = ReplyForm(request.POST)
        if not form.is_valid():
            return self.draw(contact, form, status=400)
        body = form.cleaned_data["body"]
        values = {"contact": str(contact.pk), "body": body}
        try:
            with OncePerForm(self.account, form.cleaned_data["token"], values).first() as replying:
                if replying.is_first:
                    queued = conversations.reply(self.account, contact, body, at=timezone.now())
                    replying.respond(200, {"id": str(queued.id)})
        except Refusal as refusal:
            take(form, refusal)
            return self.draw(contact, form, status=400)
        return HttpResponseRedirect(f"/app/conversations/{contact.pk}#last")

    def draw(self, contact: Contact, form: ReplyForm, status: int = 200) -> HttpResponse:
        """Draw the whole page."""
        context = self.thread(contact)
        suppressed = conversations.is_suppressed(self.account, contact)
        return self.page(
            "app/conversations/one.html", status=status, form=form, suppressed=suppressed, **context
        )

    def thread(self, contact: Contact) -> dict[str, Any]:
        """Read the newest part of the thread, or the part before a message."""
        before = ident(self.request.GET.get("before"))
        found = conversations.thread(contact, limit=THREAD + 1, before=before)
        more, rows = len(found) > THREAD, found[-THREAD:]
        now = timezone.now()
        window = conversations.window_of(contact, now)
        mark = ".".join(f"{row.sequence}{row.status[:2]}" for row in rows[-10:])
        return {
            "contact": contact,
            "rows": rows,
            "older": rows[0].pk if more else "",
            "is_later": before is not None,
            "window": window,
            "left": window.left(now),
            "now": now,
            "mark": f"{rows[-1].pk if rows else ''}.{mark}.{window.is_open}",
            "seconds": SECONDS,
        }
