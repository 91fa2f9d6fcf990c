"""Alerts on objectives: how fast the error budget of 30 days is used up, over two windows each.

The scheme is that of the Site Reliability Workbook, chapter 5 ("Multiwindow, multi-burn-rate alerts"), with the windows
and factors that Sloth generates: 2 % of the budget in an hour or 5 % in six wake somebody; 10 % in a day or in three
are for working hours. The short window ends the alert soon after the burning has ended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .recording import LONG, MODEL
from .rule import MODEL_NAME, Alert, Severity

_ENOUGH: Final = 5
"""Fewest bad requests in the long window: at a request an hour, one error would burn everything."""


@dataclass(frozen=True)
class _Burn:
    factor: float
    long: str
    short: str


_FAST: Final = (_Burn(14.4, "1h", "5m"), _Burn(6, "6h", "30m"))
_SLOW: Final = (_Burn(3, "1d", "2h"), _Burn(1, "3d", "6h"))


def alerts() -> tuple[Alert, ...]:
    """Return the alerts on availability and latency."""
    return (
        Alert(
            "ViridianErrorBudgetBurnsFast",
            Severity.CRITICAL,
            _any_of("errors", _FAST),
            f"Users of {MODEL_NAME} get errors",
            "{{ $value | humanizePercentage }} of the requests fail; at this rate the error budget of 30 days is gone"
            " within days.",
        ),
        Alert(
            "ViridianErrorBudgetBurnsSlowly",
            Severity.WARNING,
            _any_of("errors", _SLOW),
            f"{MODEL_NAME} fails more often than its objective allows",
            "{{ $value | humanizePercentage }} of the requests fail; at this rate the objective of 30 days is missed.",
        ),
        Alert(
            "ViridianLatencyBudgetBurnsFast",
            Severity.CRITICAL,
            _any_of("slow", _FAST),
            f"Users of {MODEL_NAME} wait too long",
            "{{ $value | humanizePercentage }} of the requests take longer than {{ $labels.le }} s; at this rate the"
            " latency objective of 30 days is missed within days.",
        ),
        Alert(
            "ViridianLatencyBudgetBurnsSlowly",
            Severity.WARNING,
            _any_of("slow", _SLOW),
            f"{MODEL_NAME} is slower than its objective allows",
            "{{ $value | humanizePercentage }} of the requests take longer than {{ $labels.le }} s; at this rate the"
            " latency objective of 30 days is missed.",
        ),
    )


def _any_of(what: str, burns: Iterable[_Burn]) -> str:
    return "\nor\n".join(f"({_burning(what, burn)})" for burn in burns)


def _burning(what: str, burn: _Burn) -> str:
    labels = f"{MODEL}, le" if what == "slow" else MODEL
    allowed = f"on ({labels}) {burn.factor} * model:viridian_objective_{what}:ratio"
    count = f"sum_over_time(model:viridian_{what}:rate5m[{burn.long}:1m]) * 60"
    if burn.long in LONG:
        count = f"model:viridian_{what}:increase{burn.long}"
    # A model that was made an hour ago has no budget of days: only what burns fast counts.
    old = "" if burn in _FAST else f"\n  and on ({MODEL}) model:viridian_requests:rate5m offset {burn.short}"
    return (
        f"model:viridian_{what}:ratio{burn.long} > {allowed}"
        f"\n  and model:viridian_{what}:ratio{burn.short} > {allowed}"
        f"\n  and {count} >= {_ENOUGH}{old}"
    )
