"""A model as the API server has it now, where what the watch saw last is not enough."""

from viridian.kube.client import KubeClient, Manifest
from viridian.kube.errors import Conflict
from viridian.kube.resources import MODEL_DEPLOYMENT

from .models import Model


async def read_live(client: KubeClient, model: Model) -> Manifest:
    """Read the object that a model was seen as.

    Raises:
        Conflict: it was deleted, and perhaps created anew.
    """
    live = await client.get(MODEL_DEPLOYMENT, *model.key)
    if live is None or live["metadata"]["uid"] != model.owner.uid:
        raise deleted(model)
    return live


def deleted(model: Model) -> Conflict:
    """Return what is raised where a model is not there any more."""
    return Conflict(409, f"ModelDeployment {model.owner.name} was deleted")
