"""Specs of any shape that the schema allows, for properties."""

from typing import Any

from hypothesis import strategies as st

from viridian.api.names import LABEL_COLOR, LABEL_MODEL
from viridian.api.spec import ModelDeploymentSpec

versions = st.sampled_from(["v1.0.0", "2", "v3.1.4-rc.1+build.5", "0a1b2c3d4e"])
images = st.sampled_from(["", "registry.example.com/iris:1.0", f"registry.example.com:5000/iris@sha256:{'0a' * 32}"])
durations = st.one_of(
    st.integers(1, 3600).map("{}s".format), st.integers(1, 99_999).map("{}ms".format), st.just("1m30s")
)
quantities = st.one_of(st.integers(0, 64), st.sampled_from(["250m", "512Mi", "2", "1.5"]))
resources = st.fixed_dictionaries(
    {},
    optional={
        "requests": st.dictionaries(st.sampled_from(["cpu", "memory"]), quantities),
        "limits": st.dictionaries(st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]), quantities),
    },
)
containers = st.fixed_dictionaries({}, optional={"resources": resources})
digests = st.sampled_from([f"sha256:{'0a' * 32}", f"sha256:{'f1' * 32}"])
common = {
    "format": st.sampled_from(["onnx", "triton"]),
    "changes": st.text(max_size=40),
    "maxSize": st.sampled_from(["1Mi", "512Mi", "99999Gi"]),
    "fetchTimeout": durations,
}
in_images = st.fixed_dictionaries(
    {"version": versions, "uri": st.sampled_from(["image:///models/iris", "image:///a/b.c/d_e-f"])},
    optional={"digest": digests, **common},
)
in_claims = st.fixed_dictionaries(
    {"version": versions, "uri": st.sampled_from(["pvc://models/iris/v1", "pvc://a.b-c/m.onnx"]), "digest": digests},
    optional=common,
)
elsewhere = st.fixed_dictionaries(
    {"version": versions, "uri": st.just("https://models.example.com:8443/iris.tar.gz?v=1"), "digest": digests},
    optional={"credentialsSecretRef": st.just({"name": "reader"}), **common},
)
models = st.one_of(in_images, in_claims, elsewhere)
sources = st.sampled_from(
    [{"secretKeyRef": {"name": "s", "key": "k"}}, {"configMapKeyRef": {"name": "c", "key": "k.k"}}]
)
variables = st.one_of(
    st.fixed_dictionaries({"name": st.sampled_from(["A", "B_1"]), "value": st.text(max_size=9)}),
    st.fixed_dictionaries({"name": st.sampled_from(["C", "D.e"]), "valueFrom": sources}),
)
security_contexts = st.fixed_dictionaries(
    {},
    optional={
        "runAsUser": st.integers(1, 2_147_483_647),
        "runAsGroup": st.integers(0, 2_147_483_647),
        "fsGroup": st.integers(0, 2_147_483_647),
        "fsGroupChangePolicy": st.sampled_from(["OnRootMismatch", "Always"]),
        "supplementalGroups": st.lists(st.integers(0, 99_999), max_size=2),
    },
)
pod_templates = st.fixed_dictionaries(
    {},
    optional={
        "nodeSelector": st.dictionaries(st.sampled_from(["pool", "example.com/pool"]), st.sampled_from(["", "gpu"])),
        "tolerations": st.lists(st.sampled_from([{"operator": "Exists"}, {"key": "gpu", "value": "a"}]), max_size=2),
        "labels": st.dictionaries(st.sampled_from(["team", "example.com/tier"]), st.sampled_from(["", "ml"])),
        "annotations": st.dictionaries(
            st.sampled_from(["example.com/owner", "cluster-autoscaler.kubernetes.io/safe-to-evict"]), st.just("false")
        ),
        "priorityClassName": st.just("stable-models"),
        "securityContext": security_contexts,
        "serviceAccountName": st.just("models"),
        "imagePullSecrets": st.just([{"name": "registry"}]),
        "env": st.lists(variables, max_size=3, unique_by=lambda variable: str(variable["name"])),
    },
)
servings = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(1, 1000),
        "image": images,
        "triton": containers,
        "api": containers,
        "startTimeout": st.sampled_from(["10s", "3m", "1h"]),
        "timeout": durations,
        "podTemplate": pod_templates,
        "fallback": st.fixed_dictionaries({}, optional={"after": durations}),
    },
)
parent_refs = st.fixed_dictionaries(
    {"name": st.sampled_from(["public", "internal.example"])},
    optional={"namespace": st.just("gateways"), "sectionName": st.just("https")},
)
traffics = st.fixed_dictionaries(
    {"parentRefs": st.lists(parent_refs, min_size=1, max_size=3)},
    optional={
        "hostnames": st.lists(st.sampled_from(["a.example.com", "*.example.com"]), max_size=2),
        "path": st.sampled_from(["/", "/iris", "/a/b"]),
    },
)


def _spec(document: dict[str, Any]) -> ModelDeploymentSpec:
    return ModelDeploymentSpec.model_validate(document)


specs = st.fixed_dictionaries({"model": models, "traffic": traffics}, optional={"serving": servings}).map(_spec)

OWN_LABELS = frozenset({"app.kubernetes.io/managed-by", LABEL_MODEL, LABEL_COLOR, "viridian.dev/revision"})
"""All labels that a child may carry."""
