"""Clients of the servers on this machine, safe in threads beside the tests.

pytest changes `os.environ` around each phase of a test, and who iterates over it in a thread at that moment dies of a
KeyError. Looking for proxies is such an iteration, and no request to loopback needs a proxy.
"""

import os
import ssl
import urllib.request
from pathlib import Path
from typing import Any

from kubernetes import client, config
from tests.waiting import DEADLINE

ENVIRONMENT = dict(os.environ)
"""The environment for child processes, read once, when the tests are collected."""


def kubernetes_client(kubeconfig: Path) -> client.ApiClient:
    """A client with the rights of a kubeconfig."""
    configuration = client.Configuration()
    # Assigned, even as None, it is final. Otherwise the client looks for proxies at every request.
    configuration.proxy = None
    return config.new_client_from_config(str(kubeconfig), client_configuration=configuration)  # noqa: TID251 - in here


def open_url(
    url: str | urllib.request.Request, timeout: float = DEADLINE, context: ssl.SSLContext | None = None
) -> Any:
    """The response, as `urllib.request.urlopen` returns it.

    Raises:
        urllib.error.HTTPError: it has an error's status.
        OSError: there is none.
    """
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    ).open(url, timeout=timeout)
