"""A model that answers only clients with an API key, on the cluster: its Secret appears, changes, and is named."""

import urllib.error
import urllib.request

import pytest
from examples.demo.load import read_samples
from tests.component.harness.loopback import open_url
from tests.e2e.harness.environment import Environment
from tests.e2e.harness.stage import AT_ONCE, NAME, Stage
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

KEYED = {"rollout": AT_ONCE, "serving": {"apiKeysSecretRef": {"name": "clients"}}}
SHOP, NEXT = "shop-key-0123456789abcdef", "next-key-0123456789abcdef"


SNOOP = """
import glob
found = 0
for pattern in ("/proc/[0-9]*/environ", "/etc/viridian/**", "/var/run/secrets/**", "/run/viridian/**", "/tmp/**"):
    for path in glob.glob(pattern, recursive=True):
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            continue
        found += 1
        assert b"shop-key" not in content, path
print(found)
"""
"""What a model's code could look for in its container."""


def status_with(stage: Stage, environment: Environment, key: str | None) -> int:
    headers = {"Content-Type": "application/json", **({"X-Api-Key": key} if key else {})}
    body = read_samples(environment.samples)[0].body
    try:
        with open_url(urllib.request.Request(stage.url, data=body, headers=headers), timeout=5) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def secret(stage: Stage, **keys: str) -> None:
    stage.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "clients", "namespace": stage.namespace},
            "stringData": keys,
        }
    )


def test_only_clients_with_a_key_are_answered(stage: Stage, environment: Environment) -> None:
    # given a model whose Secret does not exist
    stage.apply("v1", **KEYED)
    eventually(lambda: "clients" in str(stage.condition("Ready").get("message")), lambda: stage.explain())
    # when it does
    secret(stage, shop=SHOP)
    # then its pods start, and ask for the key
    stage.reaches("Stable", "v1")
    eventually(lambda: status_with(stage, environment, SHOP) == 200, stage.explain)
    assert status_with(stage, environment, None) == 401
    assert status_with(stage, environment, NEXT) == 401
    # and the container that runs a model's code sees no key, nor a token of the API server
    pod = stage.read("pods", "--selector=viridian.dev/color")["items"][0]["metadata"]["name"]
    at = ("exec", f"--namespace={stage.namespace}", pod, "--container=triton", "--")
    assert int(stage.cluster.kubectl(*at, "python3", "-c", SNOOP)) > 0
    # and a later key is valid without another revision
    secret(stage, **{"shop.next": NEXT})
    eventually(lambda: status_with(stage, environment, NEXT) == 200, stage.explain, within=180)
    assert stage.revisions == [f"{NAME}-1"]
