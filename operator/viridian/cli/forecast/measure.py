"""Today's traffic, read from Prometheus: requests a minute, the share that fails, and how long they take."""

import http.client
import json
import math
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from viridian.api.errors import ViridianError
from viridian_shared.https import LeavesTls, open_https
from viridian_shared.metric_names import DURATIONS, REQUESTS
from viridian_shared.via import JUDGED

from .behavior import Behavior, Histogram

_TIMEOUT: Final = 10.0
_USERS: Final = f'via=~"{"|".join(JUDGED)}"'


class CannotMeasure(ViridianError):
    """Prometheus does not say it; the message says why, and what to do."""


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        rpm: Requests a minute of all users.
        behavior: How what serves now does.
    """

    rpm: float
    behavior: Behavior


def measure(prometheus: str, namespace: str, name: str, window: str) -> Measured:
    """Ask Prometheus.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        namespace: Of the model.
        name: Of the model.
        window: Over how long, such as 1h.

    Raises:
        CannotMeasure: It does not answer, or has counted no requests.
    """
    of = f"model_namespace={json.dumps(namespace)},model={json.dumps(name)},{_USERS}"
    counts = {
        str(sample["metric"].get("outcome", "")): _number(sample)
        for sample in _query(prometheus, f"sum by (outcome) (rate({REQUESTS}{{{of}}}[{window}]))")
    }
    answered = counts.get("ok", 0.0) + counts.get("error", 0.0)
    if not answered:
        raise CannotMeasure(
            f"Prometheus has counted no requests of {namespace}/{name} in {window}: give --rpm and --error-rate, or a"
            " longer --window"
        )
    buckets = _query(prometheus, f"sum by (le) (rate({DURATIONS}_bucket{{{of}}}[{window}]))")
    return Measured(60 * answered, Behavior(counts.get("error", 0.0) / answered, _histogram(buckets, counts)))


def _histogram(samples: list[Any], counts: dict[str, float]) -> Histogram:
    """How long good answers take: errors are in the last bucket only, and are taken out of it."""
    rates = sorted((float(sample["metric"]["le"]), _number(sample)) for sample in samples)
    good = max(rates[-1][1] - counts.get("error", 0.0), 0.0) if rates else 0.0
    finite = [(bound, rate) for bound, rate in rates if math.isfinite(bound)]
    if not good or not finite:
        raise CannotMeasure("Prometheus has no durations of these requests: give --p95")
    return Histogram(tuple(bound for bound, _ in finite), tuple(min(1.0, rate / good) for _, rate in finite))


def _number(sample: Any) -> float:  # noqa: ANN401 - what Prometheus sends
    value = float(sample["value"][1])
    return value if math.isfinite(value) else 0.0


def _query(prometheus: str, query: str) -> list[Any]:
    url = f"{prometheus.rstrip('/')}/api/v1/query?{urlencode({'query': query})}"
    try:
        with _open(url) as answer:
            document = json.load(answer)
        return list(document["data"]["result"])
    except urllib.error.HTTPError as error:
        raise CannotMeasure(f"Prometheus at {prometheus} answers {error.code}: {_reason(error)}") from error
    except (OSError, LeavesTls, http.client.HTTPException) as error:
        raise CannotMeasure(
            f"Prometheus at {prometheus} cannot be reached: {error}; `kubectl port-forward` can bring it here"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CannotMeasure(f"{prometheus} does not answer as Prometheus does: check the address") from error


def _open(url: str) -> Any:  # noqa: ANN401 - a file with a status
    scheme = urlsplit(url).scheme
    if scheme == "https":
        return open_https(url, _TIMEOUT)
    if scheme != "http":
        raise CannotMeasure(f"{url} is no address of Prometheus: write http://HOST:PORT or https://HOST")
    # Without proxies: what is asked over plain http is on this machine or in its network.
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=_TIMEOUT)


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)
