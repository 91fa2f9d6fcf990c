"""A cluster with many models, as far as the page asks: a stand-in for kubectl, and the page's own server before it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.component.harness.binaries import REPOSITORY

KUBECTL = """#!/bin/sh
case "$*" in
  *--raw*watch=true*) exec tail -n +1 -f "$0.events" ;;
  *) cat "$0.list" ;;
esac
"""


def model(number: int, version: int, weight: int) -> dict[str, Any]:
    """A model in the middle of a rollout, as the API server has it."""
    name = f"model-{number:05}"
    moment = "2026-01-01T00:00:00Z"
    guard = {"name": "errorRate", "kind": "relative", "verdict": "Healthy", "evidence": 1.5, "threshold": 100.0}
    role = {"replicas": 2, "ready": 2}
    status = {
        "phase": "Progressing",
        "stable": {"color": "blue", "version": "v1", "revision": f"{name}-1", "weight": 100 - weight, **role},
        "candidate": {"color": "green", "version": "v2", "revision": f"{name}-2", "weight": weight, **role},
        "step": {"index": 1, "count": 3, "weight": weight, "progress": "1/3", "verifiedAt": moment},
        "guards": [{**guard, "message": "1 of 1,000 requests failed, stable's 1 of 9,000"}],
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "Progressing", "lastTransitionTime": moment,
             "message": f"step 1 of 3 with {weight} %: holds for another 4m"}
        ],
        "history": [],
    }  # fmt: skip
    metadata = {"name": name, "namespace": f"team-{number % 20}", "uid": f"{number}", "resourceVersion": str(version)}
    spec = {"model": {"version": "v2", "uri": f"image:///models/{name}"}, "rollout": {"steps": [{"weight": 5}]}}
    head = {"apiVersion": "viridian.dev/v1alpha1", "kind": "ModelDeployment"}
    return {**head, "metadata": metadata, "spec": spec, "status": status}


@contextmanager
def serving(folder: Path, models: Iterable[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Serve the page of these models; yield the number of its process, and its address."""
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    listed = {"metadata": {"resourceVersion": "7"}, "items": list(models)}
    (folder / "kubectl.list").write_text(json.dumps(listed))
    (folder / "kubectl.events").write_text("")
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY / "operator")}
    command = [sys.executable, "-m", "viridian.cli.main", "dashboard", "-A", "--no-browser"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+", said)
            if found is None:
                raise RuntimeError(f"the page did not start: {said}")
            yield process.pid, found.group()
        finally:
            process.terminate()


def change(folder: Path, models: Iterable[dict[str, Any]]) -> None:
    """Let the watch tell that models are now as these."""
    with (folder / "kubectl.events").open("a") as events:
        events.writelines(json.dumps({"type": "MODIFIED", "object": each}) + "\n" for each in models)
