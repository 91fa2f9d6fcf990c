"""What pods are told where models may bring no code."""

from dataclasses import replace

import pytest
from tests.workloads.children import DEFAULTS

from viridian.api.errors import InvalidSpec
from viridian.api.revision import RevisionInput
from viridian.api.spec import ModelDeploymentSpec
from viridian.workloads.pod import build_pod_template

NONE = replace(DEFAULTS, allow_model_code=False)


def wanted(*variables: str) -> RevisionInput:
    env = [{"name": name, "value": "/mnt/model/x.so"} for name in variables]
    return RevisionInput.of(
        ModelDeploymentSpec.model_validate(
            {
                "model": {"version": "v1", "uri": "pvc://models/iris", "digest": f"sha256:{'0a' * 32}"},
                "serving": {"podTemplate": {"env": env}},
            }
        )
    )


def test_every_container_is_told_and_no_pod_changes_where_code_is_allowed() -> None:
    told = {"name": "VIRIDIAN_ALLOW_MODEL_CODE", "value": "false"}
    for defaults, times in ((NONE, 1), (DEFAULTS, 0)):
        pod = build_pod_template("iris", "iris-1", wanted("OMP_NUM_THREADS"), defaults)["spec"]
        containers = [*pod["initContainers"], *pod["containers"]]
        assert [container["env"].count(told) for container in containers] == [times] * 3


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONSTARTUP", "GCONV_PATH"])
def test_variables_that_make_code_of_files_are_refused_by_name(name: str) -> None:
    build_pod_template("iris", "iris-1", wanted(name), DEFAULTS)
    with pytest.raises(InvalidSpec, match=rf"spec.serving.podTemplate.env\[1\]: {name} .*serving.allowModelCode"):
        build_pod_template("iris", "iris-1", wanted("OMP_NUM_THREADS", name), NONE)
