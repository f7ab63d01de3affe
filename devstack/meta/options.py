"""Options that can be changed while the sandbox runs: delays, faults, limits, shape of the callbacks."""

from dataclasses import asdict, dataclass, fields
from typing import Any

PERCENTAGES = (
    "callback_loss",
    "callback_duplicate",
    "callback_before_answer",
    "skip_delivered",
    "error_429",
    "error_500_before",
    "error_500_after",
    "hang_after",
    "reset_after",
    "reset_before",
    "html_503",
)


@dataclass(slots=True)
class Options:
    """Every switch of the sandbox; seconds unless the name says otherwise, percentages from 0 to 100.

    Delays are spent in real time, multiplied by `time_scale`; moving the clock does not hasten them.
    """

    # The answer to a send.
    latency_ms: float = 0.0
    slow_seconds: float = 5.0
    hang_seconds: float = 60.0
    # The statuses that follow; None leaves that status out.
    sent_delay: float | None = 0.15
    delivered_delay: float | None = 0.6
    read_delay: float | None = 1.5
    time_scale: float = 1.0
    skip_delivered: float = 0.0
    # The callbacks on their way.
    callback_loss: float = 0.0
    callback_duplicate: float = 0.0
    callback_before_answer: float = 0.0
    shuffle: bool = False
    batch_size: int = 100
    callback_concurrency: int = 8
    callback_timeout: float = 20.0
    redelivery_start: float = 1.0
    redelivery_factor: float = 2.0
    redelivery_cap: float = 60.0
    # The shape of the callbacks: "v23" carries `conversation`, later versions do not.
    api_version: str = "v25"
    with_contacts: bool = True
    with_user_ids: bool = True
    # Limits; 0 switches one off, `number_rate` None follows each number's throughput level.
    number_rate: float | None = None
    pair_burst: int = 45
    pair_refill: float = 6.0
    management_rate: int = 5000
    # Faults, in percent of the sends.
    error_429: float = 0.0
    error_500_before: float = 0.0
    error_500_after: float = 0.0
    hang_after: float = 0.0
    reset_after: float = 0.0
    reset_before: float = 0.0
    html_503: float = 0.0
    # How long Meta looks at a template.
    review_delay: float = 2.0

    def change(self, values: dict[str, Any]) -> None:
        """Take over the given values, all or none; ValueError names the first that cannot stand."""
        kinds = {field.name: str(field.type) for field in fields(self)}
        ready = {}
        for name, value in values.items():
            if name not in kinds:
                raise ValueError(f"There is no option '{name}'.")
            ready[name] = _fitting(name, kinds[name], value)
        for name, value in ready.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """All options by name."""
        return asdict(self)


def _fitting(name: str, kind: str, value: Any) -> Any:
    """The value, if it has the kind its option needs."""
    if value is None:
        if "None" in kind:
            return None
    elif "bool" in kind:
        if isinstance(value, bool):
            return value
    elif "str" in kind:
        if isinstance(value, str) and value[:1] == "v" and value[1:].isdigit():
            return value
    elif isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        if name in PERCENTAGES and value > 100:
            raise ValueError(f"'{name}' is a percentage from 0 to 100.")
        if name == "batch_size" and not 1 <= value <= 1000:
            raise ValueError("'batch_size' is a number from 1 to 1000.")
        if name == "callback_concurrency" and value < 1:
            raise ValueError("'callback_concurrency' is at least 1.")
        return int(value) if kind == "<class 'int'>" else value
    raise ValueError(f"'{value}' does not suit the option '{name}'.")
