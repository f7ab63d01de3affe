"""Python's search for circular garbage, set for processes that serve many small requests for a long time."""

from __future__ import annotations

import gc

#: so many more objects made than freed start a search. A request leaves few circles behind, and at Python's
#: own 700 searching was a twelfth of a callback's processor time.
YOUNG = 20_000


def settle() -> None:
    """Call once everything is loaded: what is there stays for ever and is never searched again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
