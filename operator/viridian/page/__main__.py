"""The page's process: `python -m viridian.page`."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable

from aiohttp import web

from viridian.api.errors import ConfigurationError
from viridian.cli.dashboard.app import Dashboard
from viridian.cli.dashboard.feed import Feed
from viridian.cli.dashboard.traffic import Prometheus
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.reflector import Name, Reflector
from viridian.kube.resources import MODEL_DEPLOYMENT

from .access import HEALTH, proxied
from .settings import PageSettings

LOG = logging.getLogger("viridian.page")


class FeedFollower:
    """Tells a feed what a watch sees."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def on_upsert(self, manifest: Manifest) -> None:
        """Show a model as it is now."""
        self._feed.keep(manifest)

    def on_delete(self, name: Name) -> None:
        """Show a model no longer."""
        self._feed.forget("/".join(name))

    def names(self, namespace: str) -> set[Name]:
        """Return the models that are shown, of one namespace or (empty) of all."""
        found = (key.split("/", 1) for key in self._feed.models)
        return {(there, name) for there, name in found if namespace in {"", there}}


async def follow(feed: Feed, namespaces: tuple[str, ...]) -> None:
    """Keep a feed up to date by the pod's own rights, until cancelled."""
    troubles: dict[str, str] = dict.fromkeys(namespaces or ("",), "")

    def teller(namespace: str) -> Callable[[str], None]:
        def tell(trouble: str) -> None:
            troubles[namespace] = trouble
            feed.say("; ".join(filter(None, troubles.values())))

        return tell

    async with KubeClient("viridian-page", may_write=lambda: False) as client:
        follower = FeedFollower(feed)
        watches = [
            Reflector(client, MODEL_DEPLOYMENT, namespace, "", follower, told=teller(namespace))
            for namespace in troubles
        ]
        await asyncio.gather(*(watch.run() for watch in watches))


def application(settings: PageSettings) -> web.Application:
    """Return the page, which follows the cluster while it runs."""
    feed = Feed()
    source = Prometheus(settings.prometheus_url) if settings.prometheus_url else None
    app = Dashboard(feed, source).application(proxied(settings), lambda: follow(feed, settings.namespaces))

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app.router.add_get(HEALTH, health)
    return app


async def serve(settings: PageSettings) -> None:
    """Serve the page until SIGTERM or SIGINT."""
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    runner = web.AppRunner(application(settings), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=settings.port).start()
        LOG.info("the page is served on port %d to %s", settings.port, ", ".join(sorted(settings.hosts)))
        await over.wait()
    finally:
        await runner.cleanup()


def main() -> int:
    """Run the process; the exit status is 2 when a setting cannot be used."""
    try:
        settings = PageSettings.from_environment(os.environ)
    except ConfigurationError as error:
        sys.stderr.write(f"The page cannot start: {error}\n")
        return 2
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
