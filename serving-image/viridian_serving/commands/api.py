"""The api container: the prediction API in front of Triton."""

import asyncio
import gc
import logging
import os
import signal
import sys
import time

import uvloop

from viridian_serving.api.api_keys import KeyRing, read_keys, watched
from viridian_serving.api.app import App
from viridian_serving.api.fallback import KEEP, Fallback, default_after
from viridian_serving.api.grpc_api import GrpcApi
from viridian_serving.api.pipeline import Trust
from viridian_serving.api.responses import identity_headers
from viridian_serving.api.stable import StablePoller, StableView
from viridian_serving.codec.tensors import SchemaError
from viridian_serving.contract.body_limit import body_limit
from viridian_serving.http1.client import HttpClient
from viridian_serving.http1.server import HttpServer
from viridian_serving.inference.assets import ModelAssets
from viridian_serving.inference.health_check import HealthCheck
from viridian_serving.inference.loaded_model import LoadedModel
from viridian_serving.inference.model import Model, fetch_schema
from viridian_serving.inference.predictor import Predictor
from viridian_serving.inference.trials import with_example
from viridian_serving.settings import config
from viridian_serving.settings.config import Settings
from viridian_serving.settings.dynamic import LiveSettings, read
from viridian_serving.settings.file_watch import FileWatch
from viridian_serving.settings.prctl import hide
from viridian_serving.settings.termination_log import report
from viridian_serving.telemetry.log_secret import KEYS, LogSecret, read_secret

LOG = logging.getLogger("viridian.api")

_TRITON_HOST = "127.0.0.1"
_LAST_WORDS = 5.0
"""Seconds for what is logged to be delivered after the last request, at most."""
_SILENCE = 1.0
"""Seconds without a request after which nobody is taken to send any more."""
_RETRY = 0.25
"""Seconds between two tries to reach a model that is still being loaded; Triton tells nobody when it is."""


class NoApiKeyError(Exception):
    """Clients need an API key, and there is none that is valid."""

    def __init__(self) -> None:
        super().__init__(
            "the Secret of spec.serving.apiKeysSecretRef holds no usable API key, so every request would be refused;"
            " add one by: kubectl create secret generic NAME --from-literal=CLIENT=$(openssl rand -hex 32)"
        )


def main() -> int:
    """Run the container.

    Returns:
        The exit code: 0 after an orderly end, 1 when requests were cut off, the model cannot be served or a port is
        taken, 2 when the environment is wrong.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = config.load(os.environ)
    except config.ConfigError as error:
        report(config.termination_log(os.environ), [f"The api container cannot start: {s}" for s in error.sentences])
        return 2
    hide()  # the key of feedback tokens is in the environment
    _quieten_garbage_collector()
    try:
        return uvloop.run(serve(settings))
    except NoApiKeyError as error:
        report(settings.termination_log, [f"The api container cannot start: {error}"])
        return 2
    except SchemaError as error:
        report(settings.termination_log, [f"Model {settings.model} {settings.model_version} cannot be served: {error}"])
        return 1
    except OSError as error:
        report(
            settings.termination_log, [f"The api container cannot listen: {error}; free the port or choose another."]
        )
        return 1


def _quieten_garbage_collector() -> None:
    # What exists now stays until the end, and a request leaves hardly a cycle behind. At the default threshold the
    # collector ran every few dozen requests, and looked at everything each time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: Of this pod.

    Returns:
        The exit code.

    Raises:
        NoApiKeyError: Every request would be refused.
        OSError: A port is taken.
        SchemaError: The model cannot be served.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    triton = HttpClient(_TRITON_HOST, settings.triton_http_port, resend=False)
    public = HttpServer(settings.max_body, identity_headers(settings), settings.max_bodies)
    operations = HttpServer(settings.max_body, identity_headers(settings))
    app = App(settings, triton, public)
    watches = file_watches(app, settings)
    for watch in watches:
        watch.look()  # before the first request
    if app.inferences.keys is not None and not app.inferences.keys.keys:
        raise NoApiKeyError
    await operations.listen(settings.bind, settings.metrics_port, app.operations)
    await public.listen(settings.bind, settings.http_port, app.public(Trust.ROUTE))
    await public.listen(settings.bind, settings.fallback_port, app.public(Trust.FALLBACK_ONLY))
    calls = GrpcApi(app.inferences, f"{_TRITON_HOST}:{settings.triton_grpc_port}", settings.max_body)
    await calls.listen(settings.bind, settings.grpc_port)
    tasks = [loop.create_task(keep_model_ready(app, triton, public, settings))]
    tasks += [loop.create_task(watch.run()) for watch in watches]
    if settings.stable is not None and app.stable is not None:
        tasks.append(loop.create_task(poll_stable(app, app.stable, public, settings, settings.stable)))
    stopped = loop.create_task(stop.wait())
    # A task that crashes must end the pod, not leave it as it is for ever without a word.
    await asyncio.wait((*tasks, stopped), return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            await calls.close(longest=0.0)  # or gRPC complains after the sentence that says why
            task.result()
        task.cancel()
    end = loop.time() + settings.grace
    drained = await drain(app, public, calls, settings)
    if app.mirror is not None:
        app.mirror.close()
    await app.telemetry.close(longest=min(_LAST_WORDS, max(1.0, end - loop.time())))
    await operations.close(longest=1.0)
    triton.close()
    return 0 if drained else 1


async def keep_model_ready(app: App, triton: HttpClient, server: HttpServer, settings: Settings) -> None:
    """Wait for Triton's model, turn readiness on after one real inference, and keep it up to date for ever.

    Args:
        app: Gets its predictor here.
        triton: The way to Triton.
        server: Knows whether requests run.
        settings: Of this pod.
    """
    loop = asyncio.get_running_loop()
    assets = ModelAssets.find(settings)
    # Triton announces nothing: it can only be asked again.
    while (schema := await fetch_schema(triton, settings.model, loop.time() + settings.timeout)) is None:  # noqa: ASYNC110
        await asyncio.sleep(_RETRY)
    contract = assets.contract(schema)
    model = Model(
        triton,
        settings.model,
        contract,
        calls_in_flight=settings.calls_in_flight,
        max_queue=settings.max_queue,
    )
    preprocessor = await assets.preprocessor(schema, settings)
    tokens, deaths = app.telemetry.tokens, app.inferences.deaths
    predictor = Predictor(model, settings.max_instances, app.identity, preprocessor, tokens, deaths)
    trials = await assets.trials(predictor, loop.time() + settings.timeout)

    def is_asked() -> bool:
        return server.in_flight > 0 or app.inferences.direct_in_flight > 0

    check = HealthCheck(model, trials, app.readiness, settings.timeout, is_asked)
    app.load(LoadedModel(predictor, check, body_limit(settings, contract.requests), assets.baseline, assets.home))

    def show_example() -> None:
        if check.proven is not None:
            app.describe(with_example(contract, check.proven.instance))

    trial = await check.start(show_example)
    if app.inferences.fallback is not None and settings.fallback_after is None:
        app.inferences.fallback.after = default_after(settings.timeout, trial)
    await check.run()


Live = FileWatch[LogSecret] | FileWatch[LiveSettings] | FileWatch[KeyRing]


def file_watches(app: App, settings: Settings) -> list[Live]:
    """Return what follows the files that may change while the pod runs.

    Args:
        app: Takes in what they say.
        settings: Of this pod.
    """
    file, folder = settings.live_settings, settings.log_secret_dir
    watches: list[Live] = [
        FileWatch([folder / key for key in KEYS], lambda: read_secret(folder), app.telemetry.use),
        FileWatch([file], lambda: read(file), app.apply),
    ]
    if (keys := settings.api_keys_dir) is not None:
        watches.append(FileWatch(watched(keys), lambda: read_keys(keys), app.use_keys))
    return watches


async def poll_stable(
    app: App, view: StableView, server: HttpServer, settings: Settings, service: tuple[str, int]
) -> None:
    """Keep knowing which revision is stable, for ever: for the fallback, and to send its callers on when it changes.

    Args:
        app: Gets its fallback here.
        view: Is kept up to date.
        server: Tells its clients to open new connections when this pod's revision is stable no more.
        settings: Of this pod.
        service: Host and port of the Service that leads to stable.
    """
    loop = asyncio.get_running_loop()
    helper = HttpClient(*service, "the stable revision", keep=KEEP)

    def changed() -> None:
        server.moving = view.moved
        helper.forget_idle()

    app.inferences.fallback = Fallback(
        helper,
        lambda surface: view.fallback_for(surface, loop.time()),
        settings.fallback_after or default_after(settings.timeout),
        app.counters,
        app.telemetry.ask_stable,
    )
    asking = HttpClient(*service, "the stable revision", keep=0)
    await StablePoller(asking, view, settings.model, changed).run()


async def drain(app: App, server: HttpServer, calls: GrpcApi, settings: Settings) -> bool:
    """End without losing a request.

    Readiness goes off first, and connections are told to end with their next answer, while new ones are still served:
    it takes a moment until every gateway knows that this pod is gone. One that still sends after that moment does not
    know yet, and gets as much more of it as leaves the last request its time.

    Args:
        app: Its readiness goes off.
        server: Its listeners close.
        calls: So does this one.
        settings: How long each step may take.

    Returns:
        Whether every request was answered.
    """
    deadline = asyncio.get_running_loop().time() + settings.grace
    LOG.info("stopping: %s request(s) in flight", server.in_flight + app.inferences.direct_in_flight)
    app.readiness.stop()
    server.announce_closing()
    await asyncio.sleep(settings.drain_delay)
    # The clock is all there is to wait for: that nothing arrives is no event.
    while _is_sent_to(server) and asyncio.get_running_loop().time() < deadline - settings.timeout:  # noqa: ASYNC110
        await asyncio.sleep(_RETRY)
    left = max(0.0, deadline - asyncio.get_running_loop().time())
    drained = all(await asyncio.gather(server.close(longest=left), calls.close(longest=left)))
    if drained:
        LOG.info("every request is answered")
    else:
        unanswered = server.in_flight + app.inferences.direct_in_flight
        LOG.error("%s request(s) were not answered within VIRIDIAN_GRACE (%g s)", unanswered, settings.grace)
    return drained


def _is_sent_to(server: HttpServer) -> bool:
    return time.perf_counter() - server.last_request < _SILENCE


if __name__ == "__main__":
    sys.exit(main())
