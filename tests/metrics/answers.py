"""Answers of Prometheus, made by hand: series of raw samples, as an instant query of a range selector returns them."""

from typing import Any

from viridian.api.model_key import ModelKey

IRIS: ModelKey = ("default", "iris")

Series = dict[str, Any]


def series(name: str, *values: float, at: float = 100.0, every: float = 2.0, **labels: str) -> Series:
    """One series of pod p1 of iris-1, scraped from `at` on; labels say otherwise."""
    metric = {"model_namespace": "default", "model": "iris", "revision": "iris-1", "pod_uid": "p1", **labels}
    return {
        "metric": {"__name__": name, **metric},
        "values": [[at + every * index, f"{value:.15g}"] for index, value in enumerate(values)],
    }


def stamps(*values: float, **labels: Any) -> Series:
    """When the counters of a pod stood as they were published."""
    return series("viridian_counters_stamp_seconds", *values, **labels)


def requests(via: str, outcome: str, *values: float, **labels: Any) -> Series:
    """Completed requests."""
    return series("viridian_requests_total", *values, via=via, outcome=outcome, **labels)


def durations(via: str, le: str, *values: float, **labels: Any) -> Series:
    """Requests that took at most so long."""
    return series("viridian_request_duration_seconds_bucket", *values, via=via, le=le, **labels)
