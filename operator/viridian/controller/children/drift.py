"""Has somebody edited a Deployment? The API server itself says what our own manifest would make of it."""

import json
import logging
from typing import Any

from viridian.api.names import ANNOTATION_INPUT
from viridian.api.revision import RevisionInput
from viridian.controller.cache.deployments import SlimDeployment
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Refused
from viridian.kube.resources import DEPLOYMENT
from viridian.workloads.overlay import overlay

LOG = logging.getLogger(__name__)

Name = tuple[str, str]


class Drift:
    """Compares Deployments with what we would write, each state of them once."""

    def __init__(self, client: KubeClient) -> None:
        """Know of none yet; `client` makes the dry runs."""
        self._client = client
        self._checked: dict[Name, tuple[str, int, int]] = {}

    def is_checked(self, name: Name, slim: SlimDeployment) -> bool:
        """Whether a Deployment was found in line as it is now."""
        return self._checked.get(name) == slim.marks

    def keep(self, names: set[Name]) -> None:
        """Forget all others: they are gone."""
        self._checked = {name: marks for name, marks in self._checked.items() if name in names}

    async def has_drifted(self, live: Manifest, wanted: Manifest) -> bool:
        """Whether writing `wanted`, replicas aside, would change `live`.

        Raises:
            Conflict: somebody wrote since `live` was read.
            KubeError: the API does not answer.
        """
        name = (live["metadata"]["namespace"], live["metadata"]["name"])
        slim = SlimDeployment.of(live)
        if self.is_checked(name, slim):
            return False
        if not is_same(live, await self._as_stored(live, wanted)):
            return True
        self._checked[name] = slim.marks
        return False

    async def _as_stored(self, live: Manifest, wanted: Manifest) -> Manifest:
        """What the API server would store: defaults and admission included."""
        ours = overlay(live, {**wanted, "spec": {**wanted["spec"], "replicas": live["spec"].get("replicas", 1)}})
        try:
            return await self._client.replace(DEPLOYMENT, ours, dry_run=True)
        except Refused as error:
            # An admission webhook that knows no dry run, for instance: what we set ourselves can still be compared.
            name = live["metadata"]["name"]
            LOG.warning("a dry run on Deployment %s was refused, defaults are not compared: %s", name, error)
            return {**ours, "spec": _within(live["spec"], ours["spec"])}


def is_same(live: Manifest, stored: Manifest) -> bool:
    """Whether a live Deployment is what would be stored, as far as it is ours."""
    return (
        live["spec"] == stored["spec"]
        and (stored["metadata"].get("labels") or {}).items() <= (live["metadata"].get("labels") or {}).items()
        and _input(live) == _input(stored)
    )


def _input(manifest: Manifest) -> RevisionInput | None:
    """The input that a Deployment keeps, by what it means: another version of the operator writes it differently."""
    annotations: dict[str, str] = manifest["metadata"].get("annotations") or {}
    try:
        return RevisionInput.read(json.loads(annotations.get(ANNOTATION_INPUT, "")))
    except ValueError:
        return None


def _within(live: Any, wanted: Any) -> Any:  # noqa: ANN401 - any JSON
    """`wanted`, with whatever only `live` has beside it taken for a default."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {**live, **{key: _within(live.get(key), value) for key, value in wanted.items()}}
    if isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        return [_within(one, other) for one, other in zip(live, wanted, strict=True)]
    return wanted
