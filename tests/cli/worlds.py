"""Rollouts played by the operator's own core, as `kubectl get -o json` would print them at every moment."""

from dataclasses import dataclass, field

from tests.rollout.world import World

from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import ModelDeploymentStatus, Phase
from viridian.cli.model import Model
from viridian.rollout.planning.actions import Action


def printed(world: World) -> Model:
    """The resource as the API server has it now."""
    return Model(
        {
            "apiVersion": "viridian.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "iris", "namespace": "ml", "generation": world.generation},
            "spec": world.spec.manifest(),
            "status": world.status.manifest(),
        }
    )


@dataclass
class RecordedWorld(World):
    """A world that keeps the resource as it was after each change."""

    models: list[Model] = field(default_factory=list)

    def write(self, write: Action | ModelDeploymentStatus, version: int) -> None:
        super().write(write, version)
        if isinstance(write, ModelDeploymentStatus):
            self.models.append(printed(self))

    def edit(self, spec: ModelDeploymentSpec) -> None:
        super().edit(spec)
        self.models.append(printed(self))

    def until(self, *phases: Phase, rounds: int = 400) -> None:
        """Let everything go well until one of these phases is reached."""
        for _ in range(rounds):
            if self.status.phase in phases and self.status.observed_generation == self.generation:
                return
            self.kubelet()
            self.reconcile()
            self.traffic()
        raise AssertionError(f"{phases} was not reached, but {self.status.phase}")

    def pass_by(self, passes: int = 3) -> None:
        """So many passes in which everything goes well."""
        for _ in range(passes):
            self.kubelet()
            self.reconcile()
            self.traffic()
