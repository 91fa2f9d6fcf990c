"""Recorded series: rates by revision and model, latencies, objectives and how fast their budgets are used up."""

from datetime import timedelta
from typing import Final

from viridian_shared.counts.metric_names import DURATIONS, REQUESTS
from viridian_shared.durations import format_duration
from viridian_shared.objectives import AVAILABILITY, DEFAULT_AVAILABILITY, DEFAULT_LATENCY, SLOW, slow_share

from .rule import Group, Recording

INTERVAL: Final = timedelta(seconds=30)
MODEL: Final = "model_namespace, model"
REVISION: Final = f"{MODEL}, revision"
USERS: Final = 'via=~"split|pin|direct"'
"""Requests of users. `fallback` is another pod's request, which is counted where it came from."""
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
ANSWERED_5M: Final = "revision:viridian_answered:increase5m"
"""Predictions that users got within five minutes, which outcomes and costs are divided by."""
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
"""Windows of the burn rates."""
LONG: Final = frozenset({"2h", "6h", "1d", "3d"})
"""Those that add up counts of five minutes: samples of every half a minute would be ten times as many."""
STEP: Final = timedelta(minutes=5)
_BUCKETS: Final = f"revision:{DURATIONS}_bucket:rate5m"
_BURNT: Final = ("requests", "errors", "slow")


def traffic() -> Group:
    """Return the group of rates and latencies, by revision and by model, and of what objectives make of them.

    An error that stable answered in the model's place is an error of the revision and none of the model: its user was
    answered.

    It is one group, since what is subtracted must be of one moment: a rate of another group is older by up to an
    interval, and while traffic grows, the difference would look like slow requests.
    """
    return Group(
        "viridian.traffic",
        INTERVAL,
        (
            Recording("revision:viridian_requests:rate5m", _rate(REVISION, REQUESTS, 'outcome=~"ok|error"')),
            Recording("revision:viridian_errors:rate5m", _rate(REVISION, REQUESTS, 'outcome="error"')),
            Recording("revision:viridian_rescues:rate5m", f"sum by ({REVISION}) (rate(viridian_rescues_total[5m]))"),
            # Read once for all that follows: no series of pods are as many. Without requests there are no latencies.
            Recording(
                _BUCKETS,
                f"""
                sum by ({REVISION}, le) (rate({DURATIONS}_bucket{{{USERS}}}[5m]))
                and on ({REVISION}) revision:viridian_requests:rate5m > 0
                """,
            ),
            *(
                Recording(f"revision:{DURATIONS}:{name}_5m", f"histogram_quantile({quantile}, {_BUCKETS})")
                for name, quantile in QUANTILES.items()
            ),
            Recording("model:viridian_requests:rate5m", _of_revisions("requests")),
            Recording("model:viridian_rescues:rate5m", _of_revisions("rescues")),
            Recording(
                "model:viridian_errors:rate5m",
                f"""
                clamp_min(
                  {_of_revisions("errors")}
                  - (model:viridian_rescues:rate5m or model:viridian_requests:rate5m * 0), 0)
                """,
            ),
            Recording(
                f"model:{DURATIONS}:p95_5m",
                f"histogram_quantile(0.95, sum by ({MODEL}, le) ({_BUCKETS}))",
            ),
            *_objectives(),
        ),
    )


def burn() -> tuple[Group, ...]:
    """Return the groups with the shares of errors and of slow requests over each window.

    Short windows add up the rates of five minutes, and long ones the counts of each five minutes: cheap, and each
    request weighs the same whenever it came.
    """
    seconds = STEP.total_seconds()
    steps = tuple(
        Recording(f"model:viridian_{what}:increase5m", f"model:viridian_{what}:rate5m * {seconds:g}") for what in _BURNT
    )
    long = tuple(
        rule
        for window in WINDOWS
        if window in LONG
        for rule in (*(_added(what, window) for what in _BURNT), *_shares(window, f"increase{window}"))
    )
    short = tuple(rule for window in WINDOWS if window not in LONG for rule in _short(window))
    return Group("viridian.burn.short", INTERVAL, short), Group("viridian.burn.long", STEP, (*steps, *long))


def _objectives() -> tuple[Recording, ...]:
    """Return the objectives, with defaults for pods that name none, and the rate of requests that were too slow."""
    (percentile, bound), *_ = DEFAULT_LATENCY.items()
    return (
        Recording(
            "model:viridian_objective_errors:ratio",
            f"""
            1 - max by ({MODEL}) ({AVAILABILITY})
            or model:viridian_requests:rate5m * 0 + {round(1 - DEFAULT_AVAILABILITY, 9)}
            """,
        ),
        Recording(
            "model:viridian_objective_slow:ratio",
            f"""
            min by ({MODEL}, le) ({SLOW})
            or on ({MODEL})
              label_replace(model:viridian_requests:rate5m * 0 + {slow_share(percentile)}, "le", "{bound}", "", "")
            """,
        ),
        # Errors are above every bound of the histogram, so what is answered and not below the bound was too slow.
        Recording(
            "model:viridian_slow:rate5m",
            f"""
            clamp_min(
              {_rate(MODEL, REQUESTS, 'outcome="ok"')}
              - on ({MODEL}) group_right ()
              sum by ({MODEL}, le) ({_BUCKETS} and on ({MODEL}, le) model:viridian_objective_slow:ratio), 0)
            """,
        ),
    )


def _added(what: str, window: str) -> Recording:
    # One count each five minutes, however often Prometheus is told to evaluate the rules.
    counts = f"model:viridian_{what}:increase5m[{window}:{format_duration(STEP)}]"
    return Recording(f"model:viridian_{what}:increase{window}", f"sum_over_time({counts})")


def _short(window: str) -> tuple[Recording, Recording]:
    return _shares(window, "rate5m", "" if window == "5m" else window)


def _shares(window: str, of: str, over: str = "") -> tuple[Recording, Recording]:
    """Return the shares of errors and of slow requests, of series with this end, added up over a time."""
    requests, errors, slow = (
        f"sum_over_time(model:viridian_{what}:{of}[{over}])" if over else f"model:viridian_{what}:{of}"
        for what in _BURNT
    )
    return (
        Recording(f"model:viridian_errors:ratio{window}", f"{errors} / {requests}"),
        Recording(f"model:viridian_slow:ratio{window}", f"{slow} / on ({MODEL}) group_left () {requests}"),
    )


def _rate(labels: str, metric: str, outcome: str) -> str:
    return f"sum by ({labels}) (rate({metric}{{{USERS}, {outcome}}}[5m]))"


def _of_revisions(what: str) -> str:
    return f"sum by ({MODEL}) (revision:viridian_{what}:rate5m)"
