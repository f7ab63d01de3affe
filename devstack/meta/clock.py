"""The sandbox's own time: the machine's, moved forward at will, so that 24 hours need not be waited for."""

import time


class Clock:
    """Epoch seconds that tests may advance."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """The sandbox's present."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the present forward; time never runs backwards."""
        if seconds < 0:
            raise ValueError("Time does not run backwards.")
        self._offset += seconds
