"""The client before a real API server, where that is not seen in a rollout."""

import asyncio

import pytest
from tests.component.harness.control_plane import ControlPlane

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
    async with KubeClient("test") as client, asyncio.timeout(30):
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
