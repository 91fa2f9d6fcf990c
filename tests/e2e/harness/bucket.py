"""A bucket in the cluster: the Versity S3 gateway behind a port of the node, which host and pods reach alike."""

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.component.harness.binaries import REPOSITORY, tool
from tests.waiting import eventually

from .cluster import Cluster

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAVIRIDIANTESTS", "AWS_SECRET_ACCESS_KEY": "not-so-secret-but-long"}
_PORT = 7070


@contextmanager
def bucket(cluster: Cluster, namespace: str, name: str) -> Iterator[str]:
    """Run a store with an empty bucket in a namespace, until that is deleted; the value is the store's address."""
    image = _script("images/image.sh", "viridian/versitygw", "dev/images/versitygw/Dockerfile", str(tool("versitygw")))
    _script("cluster/load-image.sh", image)
    for manifest in _manifests(image):
        manifest["metadata"] = {"name": "store", "namespace": namespace}
        cluster.apply(manifest)
    cluster.kubectl("rollout", "status", "deployment/store", f"--namespace={namespace}", "--timeout=180s")
    service = cluster.read("service", "store", f"--namespace={namespace}")
    node = cluster.read("nodes")["items"][0]["status"]["addresses"]
    host = next(address["address"] for address in node if address["type"] == "InternalIP")
    url = f"http://{host}:{service['spec']['ports'][0]['nodePort']}"
    eventually(lambda: put(f"{url}/{name}"), f"a bucket at {url}")
    yield url


def put(url: str, content: bytes = b"") -> bool:
    """Upload an object, or make a bucket."""
    return _send("PUT", url, content)


def remove(url: str) -> bool:
    """Delete an object."""
    return _send("DELETE", url)


def _send(method: str, url: str, content: bytes = b"") -> bool:
    command = ["curl", "--fail-with-body", "--silent", "--show-error", "--noproxy", "*", "--max-time", "5"]
    command += ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", ":".join(KEYS.values()), "--request", method, url]
    command += ["--header", f"x-amz-content-sha256: {hashlib.sha256(content).hexdigest()}"]
    command += ["--data-binary", "@-"] if content else []
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return True


def _manifests(image: str) -> list[dict[str, Any]]:
    labels = {"app": "store"}
    container = {
        "name": "versitygw",
        "image": image,
        "args": ["--port", f":{_PORT}", "--health", "/health", "--quiet", "posix", "/data"],
        "env": [
            {"name": "ROOT_ACCESS_KEY", "value": KEYS["AWS_ACCESS_KEY_ID"]},
            {"name": "ROOT_SECRET_KEY", "value": KEYS["AWS_SECRET_ACCESS_KEY"]},
        ],
        "ports": [{"containerPort": _PORT}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": _PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    deployment = {"selector": {"matchLabels": labels}, "template": template}
    service = {"type": "NodePort", "selector": labels, "ports": [{"port": _PORT}]}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": deployment},
        {"apiVersion": "v1", "kind": "Service", "spec": service},
    ]


def _script(path: str, *arguments: str) -> str:
    """What a script of dev/ prints; its progress goes where ours goes."""
    command = [str(REPOSITORY / "dev" / path), *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()
