"""The port on which Prometheus reads the operator's metrics."""

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


class Endpoint:
    """`GET /metrics`, answered in the operator's own event loop, so that nothing changes while the page is made."""

    def __init__(self, registry: CollectorRegistry, address: tuple[str, int]) -> None:
        """Prepare to listen at an address and a port."""
        self._registry, self._address = registry, address
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        application = web.Application()
        application.router.add_get("/metrics", self._page)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._address).start()

    async def stop(self) -> None:
        """Listen no longer."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})
