"""Reading a callback never raises, whatever JSON it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.meta.callback_envelope import Envelope

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
# The keys the readers look for, so that arbitrary values reach them instead of being passed over.
# fmt: off
WORDS = st.sampled_from([
    "id", "type", "from", "from_user_id", "timestamp", "text", "body", "image", "caption", "interactive",
    "button_reply", "title", "reaction", "location", "latitude", "longitude", "contacts", "name", "wa_id",
    "profile", "status", "errors", "code", "error_data", "context", "edit", "message", "pricing", "value",
    "message_template_id", "metadata", "phone_number_id", "event", "decision",
])
# fmt: on
VALUES = st.recursive(
    JSON | WORDS | st.just("1750263773"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=16,
)
FIELDS = st.sampled_from(
    ["messages", "user_preferences", "smb_message_echoes", "message_template_status_update", "account_update"]
)
LISTS = st.sampled_from(["messages", "statuses", "errors", "user_preferences", "message_echoes", "contacts"])


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_it_never_raises_on_any_json(payload):
    Envelope.of(payload).items()


@given(
    FIELDS | st.text(), VALUES, st.dictionaries(LISTS, st.lists(VALUES, max_size=3) | JSON, max_size=4), JSON
)
@settings(max_examples=500, deadline=None)
def test_it_never_raises_on_a_callback_with_anything_inside(field, extra, lists, time):
    value = {**(extra if isinstance(extra, dict) else {}), **lists}
    payload = {"entry": [{"id": time, "time": time, "changes": [{"field": field, "value": value}]}]}
    for item in Envelope.of(payload).items():
        repr(item)
