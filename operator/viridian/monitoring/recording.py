"""Recorded series: rates by revision and model, latencies, objectives and how fast their budgets are used up."""

from datetime import timedelta
from typing import Final

from viridian_shared.counts.metric_names import DURATIONS, REQUESTS
from viridian_shared.objectives import AVAILABILITY, DEFAULT_AVAILABILITY, DEFAULT_LATENCY, SLOW, slow_share

from .rule import Group, Recording

INTERVAL: Final = timedelta(seconds=30)
MODEL: Final = "model_namespace, model"
REVISION: Final = f"{MODEL}, revision"
USERS: Final = 'via=~"split|pin|direct"'
"""Requests of users. `fallback` is another pod's request, which is counted where it came from."""
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
"""Windows of the burn rates."""
_LONG: Final = frozenset({"2h", "6h", "1d", "3d"})


def traffic() -> Group:
    """Return the group of rates and latencies, by revision and by model.

    An error that stable answered in the model's place is an error of the revision and none of the model: its user was
    answered.
    """
    return Group(
        "viridian.traffic",
        INTERVAL,
        (
            Recording("revision:viridian_requests:rate5m", _rate(REVISION, REQUESTS, 'outcome=~"ok|error"')),
            Recording("revision:viridian_errors:rate5m", _rate(REVISION, REQUESTS, 'outcome="error"')),
            Recording("revision:viridian_rescues:rate5m", f"sum by ({REVISION}) (rate(viridian_rescues_total[5m]))"),
            *(
                Recording(
                    f"revision:{DURATIONS}:{name}_5m",
                    f"""
                    histogram_quantile({quantile},
                      sum by ({REVISION}, le) (rate({DURATIONS}_bucket{{{USERS}}}[5m])))
                    """,
                )
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
                f"histogram_quantile(0.95, sum by ({MODEL}, le) (rate({DURATIONS}_bucket{{{USERS}}}[5m])))",
            ),
        ),
    )


def objectives() -> Group:
    """Return the group of objectives, with defaults for pods that name none, and of requests that were too slow."""
    (percentile, bound), *_ = DEFAULT_LATENCY.items()
    return Group(
        "viridian.objectives",
        INTERVAL,
        (
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
                  (sum by ({MODEL}, le) (rate({DURATIONS}_bucket{{{USERS}}}[5m]))
                   and on ({MODEL}, le) model:viridian_objective_slow:ratio), 0)
                """,
            ),
        ),
    )


def burn() -> tuple[Group, ...]:
    """Return the groups with the shares of errors and of slow requests over each window.

    Long windows add up the rates of the short one: cheap, and each request weighs the same whenever it came.
    """
    short = tuple(window for window in WINDOWS if window not in _LONG)
    long = tuple(window for window in WINDOWS if window in _LONG)
    return (
        Group("viridian.burn.short", INTERVAL, tuple(rule for window in short for rule in _shares(window))),
        Group("viridian.burn.long", timedelta(minutes=2), tuple(rule for window in long for rule in _shares(window))),
    )


def _shares(window: str) -> tuple[Recording, Recording]:
    requests = f"sum_over_time(model:viridian_requests:rate5m[{window}])"
    if window == "5m":
        return (
            Recording("model:viridian_errors:ratio5m", "model:viridian_errors:rate5m / model:viridian_requests:rate5m"),
            Recording(
                "model:viridian_slow:ratio5m",
                f"model:viridian_slow:rate5m / on ({MODEL}) group_left () model:viridian_requests:rate5m",
            ),
        )
    return (
        Recording(
            f"model:viridian_errors:ratio{window}",
            f"sum_over_time(model:viridian_errors:rate5m[{window}]) / {requests}",
        ),
        Recording(
            f"model:viridian_slow:ratio{window}",
            f"sum_over_time(model:viridian_slow:rate5m[{window}]) / on ({MODEL}) group_left () {requests}",
        ),
    )


def _rate(labels: str, metric: str, outcome: str) -> str:
    return f"sum by ({labels}) (rate({metric}{{{USERS}, {outcome}}}[5m]))"


def _of_revisions(what: str) -> str:
    return f"sum by ({MODEL}) (revision:viridian_{what}:rate5m)"
