"""Kopf is the informer and the runtime: its handlers only put what they see into the queue."""

from typing import Any

import kopf

from viridian.api.names import GROUP, PLURAL, VERSION
from viridian.controller.exporting.endpoint import Endpoint
from viridian.controller.runtime.leadership import Leadership
from viridian.controller.runtime.streams import forgive_watch_errors
from viridian.kube.backoff import Backoff
from viridian.kube.client import PAGE

from .operator import Operator

BACKOFF = Backoff(first=0.2, longest=8.0)
"""Between Kopf's requests. It never runs out: an API that is away for an hour must not end the operator."""


def register(
    registry: kopf.OperatorRegistry, operator: Operator, leadership: Leadership, endpoint: Endpoint | None = None
) -> None:
    """Register all handlers for one operator. It watches whether it leads or not, so that it can take over at once."""

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:  # noqa: ANN401
        configure(settings)
        forgive_watch_errors(operator.metrics.restarted)
        if endpoint is not None:
            try:
                await endpoint.start()
            except OSError as error:
                raise kopf.PermanentError(f"VIRIDIAN_METRICS_PORT: {error}") from error
        await leadership.start()

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:  # noqa: ANN401
        await leadership.stop()
        if endpoint is not None:
            await endpoint.stop()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def saw_model(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401
        operator.on_model_event(event["type"], dict(event["object"]))

    @kopf.on.probe(registry=registry, id="ticker", errors=kopf.ErrorsMode.PERMANENT)
    async def probe(**_: Any) -> float:  # noqa: ANN401
        return operator.health()

    @kopf.on.probe(registry=registry, id="leads", errors=kopf.ErrorsMode.PERMANENT)
    async def probe_leadership(**_: Any) -> bool:  # noqa: ANN401
        return leadership.health()


def configure(settings: kopf.OperatorSettings) -> None:
    """Settings of Kopf that let it survive a bad network and leave no traces on users' objects."""
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = BACKOFF
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 5
    # A thousand objects are listed at every start: in pieces, and without a task for each that lingers for seconds.
    settings.watching.chunk_size = PAGE
    settings.queueing.worker_limit = 50
    settings.queueing.idle_timeout = 0.05
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
