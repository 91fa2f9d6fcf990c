"""Prometheus, asked once: what `plan` and `drift` read of it."""

import http.client
import json
import math
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from viridian.api.errors import ViridianError
from viridian_shared.https import LeavesTls, open_https

_TIMEOUT: Final = 10.0


class CannotMeasure(ViridianError):
    """Prometheus does not say it; the message says why, and what to do."""


def value_of(sample: Any) -> float:  # noqa: ANN401 - what Prometheus sends
    """Return the value of a sample; 0 where it is no number."""
    value = float(sample["value"][1])
    return value if math.isfinite(value) else 0.0


def query(prometheus: str, expression: str) -> list[Any]:
    """Ask Prometheus for an instant vector.

    Args:
        prometheus: Its address, such as http://127.0.0.1:9090.
        expression: PromQL.

    Returns:
        Samples, each with its `metric`, which are the labels, and its `value`.

    Raises:
        CannotMeasure: It does not answer.
    """
    url = f"{prometheus.rstrip('/')}/api/v1/query?{urlencode({'query': expression})}"
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
