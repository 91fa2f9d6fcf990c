"""Until when the operator's own credentials are valid: its token, and the authority that vouches for the API server.

The kubelet renews both files long before they expire. That they expire soon says that it does not.
"""

import base64
import binascii
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from viridian_shared.certificates import first_expiry

LOG: Final = logging.getLogger(__name__)
ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts the files of a pod's ServiceAccount."""


class CredentialsExpiry(Collector):
    """The gauges, read from the files at each scrape; none where there is no such file, as outside a cluster."""

    def __init__(self, folder: Path) -> None:
        """Take the folder that the kubelet mounts."""
        self._token, self._authority = folder / "token", folder / "ca.crt"

    def collect(self) -> Iterator[Metric]:
        """Return what there is."""
        if (moment := _read(self._token, token_expiry)) is not None:
            name = "viridian_operator_token_expiry_timestamp_seconds"
            yield GaugeMetricFamily(name, "When the operator's token for the API server expires", value=moment)
        if (moment := _read(self._authority, first_expiry)) is not None:
            name = "viridian_operator_authority_expiry_timestamp_seconds"
            yield GaugeMetricFamily(name, "When the first certificate of the cluster's authority expires", value=moment)


def token_expiry(token: str) -> float | None:
    """Return when a JSON Web Token expires (RFC 7519, claim `exp`), in seconds since 1970; None if it never does.

    Raises:
        ValueError: it is no such token.
    """
    try:
        claims = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
    except KeyError:
        return None
    except (IndexError, TypeError, binascii.Error) as error:
        raise ValueError(f"this is no JSON Web Token: {error}") from error
    return float(found)


def _read(file: Path, expiry: Callable[[str], float | None]) -> float | None:
    """Read a moment out of a file; None where there is no such file, or nothing to read in it."""
    try:
        return expiry(file.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        LOG.warning("%s: nobody can tell when it expires: %s", file, error)
        return None
