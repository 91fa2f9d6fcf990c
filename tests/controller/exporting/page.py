"""The operator's page of metrics, as Prometheus reads it."""

import aiohttp


async def read(port: int) -> str:
    """Return the page at a port of this machine."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        response.raise_for_status()
        return await response.text()
