"""What whoever starts the end-to-end tests has prepared, by environment variables."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .cluster import Cluster, KubectlError


class NotPreparedError(Exception):
    """Something is missing; the text says what."""


@dataclass(frozen=True)
class Environment:
    """The cluster that KUBECONFIG names, with Viridian installed, and what is served and asked there.

    Attributes:
        cluster: The cluster.
        image: The serving image with the versions v1 (good), v2 (better), v3 (fails), v4 (slow), v5 (always fails) and
            v6 (hangs) of the model digits.
        samples: The real images that clients send.
    """

    cluster: Cluster
    image: str
    samples: Path

    @classmethod
    def read(cls) -> "Environment":
        """Find all of it.

        Raises:
            NotPreparedError: something is missing.
        """
        if shutil.which("kubectl") is None:
            raise NotPreparedError("there is no kubectl in the PATH")
        kubeconfig = _file("KUBECONFIG", "which cluster to use")
        image = _value("VIRIDIAN_DEMO_IMAGE", "the serving image with the demonstration's models in it")
        samples = _file("VIRIDIAN_DEMO_SAMPLES", "where the images to send are")
        gateway = _value("VIRIDIAN_GATEWAY_URL", "where the cluster's gateway is")
        cluster = Cluster(kubeconfig, gateway)
        try:
            cluster.kubectl("get", "modeldeployments", "--all-namespaces")
            cluster.operator_pod()
        except (KubectlError, AssertionError) as error:
            raise NotPreparedError(f"the cluster of {kubeconfig} has no Viridian that answers ({error})") from error
        return cls(cluster, image, samples)


def _value(variable: str, meaning: str) -> str:
    text = os.environ.get(variable, "")
    if not text:
        raise NotPreparedError(f"{variable} is not set; it says {meaning}")
    return text


def _file(variable: str, meaning: str) -> Path:
    path = Path(_value(variable, meaning))
    if not path.is_file():
        raise NotPreparedError(f"{variable} names {path}, which is not a file")
    return path
