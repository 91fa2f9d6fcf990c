"""`python -m viridian.controller`: run the operator."""

import asyncio
import logging
import os
import sys
from typing import Any

import kopf

from viridian.api.errors import ConfigurationError
from viridian.api.names import FIELD_MANAGER
from viridian.controller.exporting.endpoint import Endpoint
from viridian.controller.runtime.configuration import Configuration
from viridian.controller.runtime.leadership import Leadership
from viridian.kube.client import KubeClient
from viridian.kube.lease import TIMING

from .handlers import register
from .operator import Operator


def main() -> int:
    """Run until a signal; the exit status is 2 when the settings cannot work."""
    try:
        configuration = Configuration.from_environment(os.environ)
    except ConfigurationError as error:
        sys.stderr.write(f"viridian: {error}\n")
        return 2
    logging.basicConfig(level=configuration.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in (
        "kopf.objects",
        "kopf.activities.probe",
        "aiohttp.access",
    ):  # a line for each object seen, for each probe
        logging.getLogger(chatty).setLevel(logging.WARNING)
    registry = kopf.OperatorRegistry()
    operator = Operator(configuration)
    client = KubeClient(FIELD_MANAGER, timeout=TIMING.request, wrote=operator.metrics.wrote)
    leadership = Leadership(client, operator.lead, configuration.lease, configuration.identity)
    address = configuration.metrics_address
    register(registry, operator, leadership, Endpoint(operator.metrics.registry, address) if address else None)
    # Kopf's own guess fails for a user that is in no password file, as in our image. Its type for this, a plain string,
    # is not public.
    identity: Any = configuration.identity
    asyncio.run(
        kopf.operator(
            registry=registry,
            identity=identity,
            clusterwide=not configuration.namespaces,
            namespaces=configuration.namespaces,
            liveness_endpoint=configuration.probe_endpoint,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
