"""Serve the page on 127.0.0.1 until it is interrupted."""

import asyncio
import contextlib
import signal
import socket
import webbrowser

import click
from aiohttp import web

from viridian.api.errors import ViridianError
from viridian.cli.kubectl import Kubectl

from .access import Access
from .app import Dashboard
from .feed import Feed
from .kubectl_watch import KubectlWatch
from .traffic import Prometheus


class PortTaken(ViridianError):
    """The port cannot be had."""


def serve(
    kubectl: Kubectl, *, everywhere: bool, port: int, prometheus: str, allow_actions: bool, opens_browser: bool
) -> None:
    """Print the page's address and serve it until Ctrl-C.

    Raises:
        PortTaken: another program has the port.
        KubectlFailed: the cluster does not answer at the beginning.
    """
    kubectl.models(everywhere=everywhere)  # a cluster that refuses is said here, not on an empty page
    with contextlib.closing(_listen(port)) as listening:
        access = Access(listening.getsockname()[1])
        click.echo(f"The page is at {access.address}\nCtrl-C ends it.")
        if opens_browser:
            webbrowser.open(access.address)
        asyncio.run(_run(listening, access, kubectl, everywhere, prometheus, allow_actions))


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise PortTaken(f"port {port} cannot be had ({error.strerror}): leave --port out for a free one") from error


async def _run(
    listening: socket.socket, access: Access, kubectl: Kubectl, everywhere: bool, prometheus: str, allow_actions: bool
) -> None:
    source = Prometheus(prometheus) if prometheus else None
    feed = Feed()
    page = Dashboard(feed, source, kubectl if allow_actions else None)
    application = page.application(access.middleware(), KubectlWatch(feed, kubectl, everywhere=everywhere).run)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        await _interrupted()
    finally:
        await runner.cleanup()


async def _interrupted() -> None:
    """Wait for Ctrl-C or a request to end; also where a shell has put the command into the background."""
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    await over.wait()
