"""Secret: a value that is never printed; its text, repr and JSON all say ``[secret]``."""

from __future__ import annotations


class Secret:
    """Carries a credential through the program without letting it reach a log or a page.

    ``reveal()`` is the only way to the value; it is called where the value leaves the
    process (an HTTP header, an HMAC key) and nowhere else, so that a search for the name
    finds every such place.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return "[secret]"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "[secret]"

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # A pickled secret (a cache, a task argument, a crash reporter) is worthless on purpose.
        return (str, ("[secret]",))
