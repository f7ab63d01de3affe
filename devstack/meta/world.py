"""The sandbox's memory: everything Meta would know, in one object, with a deterministic beginning."""

import collections
import random
from typing import Any

from . import ids, seed, seed_examples, seed_templates
from .clock import Clock
from .limits import Limiter
from .models import App, Contact, Media, Number, ReceivedMessage, SentMessage, Template, Token, Waba
from .options import Options

WINDOW_SECONDS = 24 * 3600.0
CHAT_LENGTH = 200
CHATS_SHOWN = 100

_FIRST_NAMES = ("Ada", "Bruno", "Chiara", "Deniz", "Elif", "Farid", "Grace", "Hanna", "Ivo", "Jamila")
_LAST_NAMES = (
    "Andersen",
    "Bauer",
    "Costa",
    "Diallo",
    "Eriksen",
    "Fischer",
    "Greco",
    "Haddad",
    "Ito",
    "Jensen",
)


class World:
    """Apps, accounts, numbers, the ledger of accepted sends and the open windows.

    Only the server's event loop changes it; other threads may read.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.clock = Clock()
        self.random = random.Random(2009)  # noqa: S311  faults are drawn, not secrets
        self.base_url = "http://127.0.0.1:9000"
        self._callback_url = ""
        self.empty()

    @classmethod
    def default(cls, callback_url: str = "", options: Options | None = None) -> "World":
        """A world with the seeded app and its ten numbers."""
        world = cls(options)
        world.populate(callback_url)
        return world

    def empty(self) -> None:
        """Forget everything except the options and the clock."""
        self.apps: dict[str, App] = {}
        self.tokens: dict[str, Token] = {}
        self.wabas: dict[str, Waba] = {}
        self.numbers: dict[str, Number] = {}
        self.templates: dict[str, Template] = {}
        self.media: dict[str, Media] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.samples: dict[str, tuple[str, bytes]] = {}
        self.messages: list[SentMessage] = []
        self.by_wamid: dict[str, SentMessage] = {}
        self.by_ref: dict[str, list[SentMessage]] = {}
        self.received: dict[str, ReceivedMessage] = {}
        self.contacts: dict[str, Contact] = {}
        self.wa_id_of: dict[str, str] = {}
        self.windows: dict[tuple[str, str], float] = {}
        self.chats: dict[tuple[str, str], list[SentMessage | ReceivedMessage]] = {}
        self.recent: dict[str, dict[str, float]] = {}
        self.tried: set[tuple[str, str, object]] = set()
        self.number_limits = Limiter()
        self.pair_limits = Limiter()
        self.management_limits = Limiter()
        self.registrations: dict[str, list[float]] = {}
        self.stats: collections.Counter[str] = collections.Counter()

    def populate(self, callback_url: str = "") -> None:
        """Put the seeded app, its numbers and their templates into an empty world."""
        self._callback_url = callback_url
        self.apps[seed.APP_ID] = App(
            seed.APP_ID, seed.APP_SECRET, seed.APP_NAME, callback_url, seed.VERIFY_TOKEN
        )
        for index in range(seed.COUNT):
            given = seed.number(index)
            number = self.add_number(
                seed.APP_ID,
                phone=given.phone,
                verified_name=given.verified_name,
                phone_number_id=given.phone_number_id,
                waba_id=given.waba_id,
                token=given.access_token,
            )
            number.seeded = index

    def reset(self) -> None:
        """Begin again: seeded state, default options, same callback address."""
        self.options = Options()
        self.clock = Clock()
        self.empty()
        self.populate(self._callback_url)

    @property
    def callback_url(self) -> str:
        """Where the seeded app wants its callbacks."""
        return self._callback_url

    @callback_url.setter
    def callback_url(self, url: str) -> None:
        self._callback_url = url
        if seed.APP_ID in self.apps:
            self.apps[seed.APP_ID].callback_url = url

    # -- things that are made ---------------------------------------------------------------------------

    def add_app(self, callback_url: str = "", verify_token: str = "", name: str = "") -> App:
        """A new app with a secret of its own, as every customer of a gateway has one."""
        app_id = ids.fresh_numeric(15)
        secret = ids.alphanumeric(f"secret {app_id} {ids.trace_id()}", 32).lower()
        app = App(app_id, secret, name or f"App {app_id[-4:]}", callback_url, verify_token or ids.trace_id())
        self.apps[app_id] = app
        return app

    def add_number(
        self,
        app_id: str,
        *,
        phone: str = "",
        verified_name: str = "",
        phone_number_id: str = "",
        waba_id: str = "",
        token: str = "",
    ) -> Number:
        """A registered number with a token; in a new account with the usual templates unless one is named."""
        now = self.clock.now()
        phone_number_id = phone_number_id or ids.fresh_numeric(15)
        waba_id = waba_id or ids.fresh_numeric(15)
        token = token or ids.access_token(f"{phone_number_id} {ids.trace_id()}")
        phone = phone or f"+1555{ids.fresh_numeric(7)}"
        verified_name = verified_name or f"Business {phone[-4:]}"
        if waba_id not in self.wabas:
            waba = Waba(
                waba_id, verified_name, app_id, {app_id: ""}, namespace=ids.alphanumeric(waba_id, 32).lower()
            )
            self.wabas[waba_id] = waba
            for made in (*seed_templates.TEMPLATES, *seed_examples.EXAMPLES):
                template = Template(
                    id=ids.numeric(f"template {waba_id} {made['name']}", 16),
                    waba_id=waba_id,
                    updated_at=now,
                    **made,
                )
                waba.add(template)
                self.templates[template.id] = template
        number = Number(phone_number_id, phone, waba_id, verified_name, token, onboarded_at=now)
        self.numbers[phone_number_id] = number
        self.tokens[token] = Token(token, app_id, {waba_id}, now)
        return number

    # -- people -----------------------------------------------------------------------------------------

    def contact(self, wa_id: str, name: str = "") -> Contact:
        """The WhatsApp user with that number, given a name when first heard of."""
        found = self.contacts.get(wa_id)
        if found is None:
            turn = int(ids.numeric(wa_id, 6))
            made_up = f"{_FIRST_NAMES[turn % 10]} {_LAST_NAMES[turn // 10 % 10]}"
            found = Contact(wa_id, ids.user_id(wa_id), name or made_up)
            self.contacts[wa_id] = found
            self.wa_id_of[found.user_id] = wa_id
        elif name:
            found.name = name
        return found

    def window_open(self, phone_number_id: str, wa_id: str) -> bool:
        """Whether the customer wrote to this number within the last 24 hours."""
        return self.windows.get((phone_number_id, wa_id), 0.0) > self.clock.now()

    # -- the ledger and the chats -----------------------------------------------------------------------

    def record_sent(self, message: SentMessage) -> None:
        """Write an accepted send into the ledger; nothing ever leaves it."""
        self.messages.append(message)
        self.by_wamid[message.wamid] = message
        if message.ref:
            self.by_ref.setdefault(message.ref, []).append(message)
        self._into_chat(message, message.wa_id, message.accepted_at)

    def record_received(self, message: ReceivedMessage, opens_window: bool) -> None:
        """Write down what a customer sent and, unless it is a mere notice, open the 24-hour window."""
        self.received[message.wamid] = message
        self._into_chat(message, message.wa_id, message.at)
        if opens_window:
            self.windows[message.phone_number_id, message.wa_id] = message.at + WINDOW_SECONDS

    def _into_chat(self, entry: SentMessage | ReceivedMessage, wa_id: str, at: float) -> None:
        chat = self.chats.setdefault((entry.phone_number_id, wa_id), [])
        chat.append(entry)
        if len(chat) > CHAT_LENGTH:
            del chat[: CHAT_LENGTH // 2]
        recent = self.recent.setdefault(entry.phone_number_id, {})
        recent.pop(wa_id, None)
        recent[wa_id] = at
        if len(recent) > CHATS_SHOWN:
            del recent[next(iter(recent))]
