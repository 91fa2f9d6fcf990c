"""Drift: what users send and get, against the baseline beside the model.

The formulas are those of `viridian_shared.drift`, where their sources are. A revision without a baseline has no series.
"""

from datetime import timedelta
from typing import Final

from viridian_shared.counts.metric_names import DRIFT_BASELINE, DRIFT_OBSERVED
from viridian_shared.drift import FLOOR, PRACTICAL, QUANTILE, Kind

from .recording import REVISION
from .rule import MODEL_NAME, Alert, Group, Recording, Severity

_INTERVAL: Final = timedelta(minutes=5)
_WINDOWS: Final = ("1h", "1d")
_LABELS: Final = (*REVISION.split(", "), "kind", "variable")
_BINS: Final = ", ".join((*_LABELS, "bin"))
_COUNTED: Final = "revision:viridian_drift_observed:increase5m"
_BASELINE: Final = "revision:viridian_drift_baseline:values"
_TINY: Final = 1e-9
"""In place of 0 in a logarithm, of which 0 times is taken."""


def group() -> Group:
    """Return the group that compares the last hour and the last day with the baseline, and alerts on the day."""
    series = (
        Recording(_COUNTED, f"sum by ({_BINS}) (increase({DRIFT_OBSERVED}[5m]))"),
        # Pods say it as long as they run: a revision that is gone does not drift.
        Recording(_BASELINE, f"max by ({_BINS}) ({DRIFT_BASELINE})"),
    )
    compared = (rule for window in _WINDOWS for rule in _compared(window))
    return Group("viridian.drift", _INTERVAL, (*series, *compared, *_alerts()))


def _compared(window: str) -> tuple[Recording, ...]:
    """Return what was counted in a window, and how far it is from the baseline.

    Counts of five minutes are added up, one each five minutes however often there are some: a day of the pods' own
    counters would be read anew each time.
    """
    counted, added = _counted(window), f"sum_over_time({_COUNTED}[{window}:5m])"
    served, baseline = (f"clamp_min({_shares(series)}, {FLOOR})" for series in (counted, _BASELINE))
    middle = f"(({served} + {baseline}) / 2)"
    n, m = _total(counted), _total(_BASELINE)
    freedom = f"(count without (bin) ({_BASELINE}) - 1 > 0)"
    part = f"(2 / (9 * {freedom}))"
    return (
        Recording(counted, f"{added} and ignoring (bin) {_total(added)} > 0"),
        Recording(
            f"revision:viridian_drift_psi:{window}",
            f"""
            sum without (bin) (
              ({served} - {baseline})
              * ln({served} / {baseline}))
            """,
        ),
        Recording(
            f"revision:viridian_drift_js:{window}",
            f"""
            sum without (bin) (
              {served} * log2({served} / {middle})
              + {baseline} * log2({baseline} / {middle})) / 2
            """,
        ),
        Recording(
            f"revision:viridian_drift_g:{window}",
            # Of the table of both samples: cells, less the sums of rows and columns, plus the sum of all.
            f"""
            2 * (
              sum without (bin) ({_times_log(counted)}) + sum without (bin) ({_times_log(_BASELINE)})
              - {_times_log(n)} - {_times_log(m)}
              - sum without (bin) ({_times_log(f"({counted} + {_BASELINE})")})
              + {_times_log(f"({n} + {m})")})
            """,
        ),
        Recording(
            f"revision:viridian_drift_g_critical:{window}",
            f"{freedom} * (1 - {part} + {QUANTILE} * sqrt({part})) ^ 3",
        ),
    )


def _alerts() -> tuple[Alert, ...]:
    """Return the alerts on features and on predictions."""
    variable, figure = "`{{ $labels.variable }}`", '{{ $value | printf "%.2f" }}'
    return (
        Alert(
            "ViridianFeatureDrift",
            Severity.WARNING,
            _drifts(Kind.FEATURE),
            f"{variable} of {MODEL_NAME} is not distributed as in its baseline",
            f"Its PSI of the last day is {figure}: {PRACTICAL} or more, and no chance. {_moved()} The model answers for"
            " inputs that it was not trained with.",
            after=timedelta(minutes=30),
        ),
        Alert(
            "ViridianPredictionDrift",
            Severity.WARNING,
            _drifts(Kind.PREDICTION),
            f"{{{{ $labels.revision }}}} of {MODEL_NAME} answers otherwise than in its baseline",
            f"The PSI of {variable} of the last day is {figure}: {PRACTICAL} or more, and no chance. {_moved()} Its"
            " inputs have changed, or what is done with them.",
            after=timedelta(minutes=30),
        ),
    )


def _drifts(kind: Kind) -> str:
    return (
        f'revision:viridian_drift_psi:1d{{kind="{kind}"}} >= {PRACTICAL}\n'
        "  and revision:viridian_drift_g:1d > revision:viridian_drift_g_critical:1d"
    )


def _moved() -> str:
    """Return a template of the sentence that says which bin has changed most, and from what to what."""
    of = ", ".join(f"{name}=%q" for name in _LABELS)
    values = " ".join(f"$labels.{name}" for name in _LABELS)
    served, baseline = (_shares(f"{series}{{%[1]s}}") for series in (_counted("1d"), _BASELINE))
    figure = "{{{{ printf `{0}` $of $bin | query | first | value | humanizePercentage }}}}"
    return (
        f"{{{{ $of := printf `{of}` {values} }}}}"
        f"{{{{ with printf `topk(1, abs({served} - {baseline}))` $of | query }}}}"
        "{{ $bin := (first .).Labels.bin }}"
        f"Most has changed in `{{{{ $bin }}}}`: from {figure.format(_of_bin(_BASELINE))}"
        f" to {figure.format(_of_bin(_counted('1d')))}."
        "{{ end }}"
    )


def _of_bin(series: str) -> str:
    return f"sum({series}{{%[1]s, bin=%[2]q}}) / sum({series}{{%[1]s}})"


def _counted(window: str) -> str:
    return f"revision:viridian_drift_observed:sum{window}"


def _total(series: str) -> str:
    return f"sum without (bin) ({series})"


def _shares(series: str) -> str:
    return f"({series} / ignoring (bin) group_left () {_total(series)})"


def _times_log(number: str) -> str:
    return f"{number} * ln(clamp_min({number}, {_TINY}))"
