"""The chart, rendered and installed by Helm itself."""

import functools
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from .binaries import REPOSITORY, tool
from .control_plane import ControlPlane

CHART = REPOSITORY / "charts" / "viridian"
NEEDED = {
    "image.repository": "registry.example/viridian/operator",
    "image.tag": "v1.0.0",
    "servingImage": "registry.example/viridian/serving:1.0.0",
    "prometheus.url": "http://prometheus.monitoring:9090",
}


class HelmError(Exception):
    """Helm refused; the message is what it said."""


def run(*arguments: str | Path, **values: str) -> str:
    """Run Helm and return what it prints; values are given with `__` for the dot in their names.

    Raises:
        HelmError: it failed.
    """
    wanted = NEEDED | {name.replace("__", "."): value for name, value in values.items()}
    options = [part for name, value in wanted.items() for part in ("--set", f"{name}={value}")]
    done = subprocess.run([tool("helm"), *arguments, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmError(done.stderr)
    return done.stdout


def render(**values: str) -> list[dict[str, Any]]:
    """The chart's manifests."""
    # Helm takes its own build's idea of a Kubernetes version when there is no cluster to ask.
    text = run("template", "viridian", CHART, "--kube-version", "1.34.0", **values)
    # The CustomResourceDefinition alone takes the loader in Python longer than Helm takes for the whole.
    return [manifest for manifest in yaml.load_all(text, yaml.CSafeLoader) if manifest]


def of_kind(manifests: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of the manifests that are of a kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def operator_kubeconfig(control_plane: ControlPlane, namespace: str, **values: str) -> Path:
    """A kubeconfig with exactly the rights that the chart gives an operator of this one namespace."""
    for manifest in deepcopy(_rights(**values)):
        manifest["metadata"]["namespace"] = namespace
        for subject in manifest.get("subjects", []):
            subject["namespace"] = namespace
        control_plane.apply(manifest)
    return control_plane.kubeconfig_of("viridian", namespace)


@functools.cache
def _rights(**values: str) -> list[dict[str, Any]]:
    """What an operator of one namespace may do; which one, is the same to Helm, whose start costs every test."""
    manifests = render(watch__namespaces="{any}", crds__install="false", **values)
    return [manifest for manifest in manifests if manifest["kind"] in {"ServiceAccount", "Role", "RoleBinding"}]
