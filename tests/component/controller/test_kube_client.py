"""The client before a real API server, where that is not seen in a rollout."""

import asyncio

import pytest
from tests.component.harness.control_plane import ControlPlane
from tests.waiting import DEADLINE

from viridian.kube.client import KubeClient
from viridian.kube.resources import CONFIG_MAP


async def test_a_watch_shows_objects_of_any_size(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an object of half a megabyte
    large = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": "large", "labels": {"size": "large"}},
        "data": {"text": "x" * 500_000},
    }
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    async with KubeClient("test") as client, asyncio.timeout(DEADLINE):
        (before,) = [page.version async for page in client.pages(CONFIG_MAP, namespace, "size=large")]
        created = await client.create(CONFIG_MAP, large)
        # when it is changed, then both are seen
        events = client.watch(CONFIG_MAP, namespace, "size=large", before, 20)
        kind, seen = await anext(events)
        assert (kind, seen["data"]) == ("ADDED", large["data"])
        await client.replace(CONFIG_MAP, {**created, "data": {"text": "y" * 500_000}})
        kind, seen = await anext(events)
        assert (kind, seen["data"]["text"][0]) == ("MODIFIED", "y")
        await events.aclose()


async def test_no_number_of_watches_keeps_a_request_waiting(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given as many watches as an operator has that looks after forty namespaces
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    async with KubeClient("test", timeout=60) as client, asyncio.timeout(DEADLINE):
        (version,) = [page.version async for page in client.pages(CONFIG_MAP, namespace, "")]
        opened = asyncio.Semaphore(0)

        async def watch() -> None:
            async for _ in client.watch(CONFIG_MAP, namespace, "", version, 50):
                opened.release()

        watches = [asyncio.create_task(watch()) for _ in range(120)]
        metadata = {"namespace": namespace, "name": "seen"}
        # when something is written, then it lands, and every watch sees it
        await client.create(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        for _ in watches:
            await opened.acquire()
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
