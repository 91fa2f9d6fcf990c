"""What holds for the children of every spec."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from tests.workloads.children import OWNER, Rendered, render, revision_of
from tests.workloads.specs import OWN_LABELS, specs

from viridian.api.errors import BrokenChild
from viridian.api.names import ANNOTATION_INPUT, LABEL_COLOR, LABEL_MODEL, Color
from viridian.api.revision import RevisionInput
from viridian.api.spec import ModelDeploymentSpec
from viridian.workloads.deployments import build_deployment
from viridian.workloads.pod import FETCH_CONTAINER, SERVING_CONTAINERS
from viridian.workloads.revisions import build_controller_revision, read_controller_revision
from viridian_shared.durations import parse_duration

SPEC = ModelDeploymentSpec.model_validate(
    {
        "model": {"version": "v1.0.0", "uri": "image:///models/iris/v1.0.0", "changes": "the first"},
        "serving": {"replicas": 2, "image": "registry.example.com/iris:1.0", "timeout": "10s"},
        "traffic": {"parentRefs": [{"name": "public"}]},
    }
)


@given(specs)
def test_the_color_is_no_part_of_a_revision(spec: ModelDeploymentSpec) -> None:
    # given a revision's template, and the pods of each color that are made from it
    rendered = render(spec)
    blue, green = (rendered.deployments[color]["spec"]["template"] for color in Color)

    # then the template names no color, and the pods differ by nothing but their label
    for color in Color:
        assert color not in repr(rendered.revision.template)
    assert blue["metadata"]["labels"].pop(LABEL_COLOR) == Color.BLUE
    assert green["metadata"]["labels"].pop(LABEL_COLOR) == Color.GREEN
    assert blue == green == rendered.revision.template


@given(specs)
def test_a_deployment_leaves_the_stored_template_as_it_is(spec: ModelDeploymentSpec) -> None:
    revision = revision_of(spec)
    stored = deepcopy(revision.template)
    build_deployment(OWNER, Color.GREEN, revision, 3)
    assert revision.template == stored


@given(specs)
def test_children_carry_our_own_labels_and_one_owner(spec: ModelDeploymentSpec) -> None:
    for child in render(spec).manifests:
        metadata = child["metadata"]
        # An owner's label or annotation on a child would make a GitOps tool take the child for its own and prune it.
        assert set(metadata["labels"]) <= OWN_LABELS
        assert set(metadata.get("annotations", {})) <= {ANNOTATION_INPUT, "viridian.dev/seq"}
        (owner,) = metadata["ownerReferences"]
        assert (owner["name"], owner["uid"], owner["controller"]) == (OWNER.name, OWNER.uid, True)


@given(specs)
def test_each_deployment_has_its_pods_and_each_service_finds_one_color(spec: ModelDeploymentSpec) -> None:
    rendered = render(spec)
    for color, deployment in rendered.deployments.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
        found = [service["metadata"]["name"] for service in rendered.services if selects(service, labels)]
        assert found == (["iris-blue", "iris"] if color is Color.BLUE else ["iris-green"])


@given(specs)
def test_names_and_ports_fit_together(spec: ModelDeploymentSpec) -> None:
    # given the ports of the Services, and those that the pods open
    rendered = render(spec)
    offered = {
        (service["metadata"]["name"], port["port"])
        for service in rendered.services
        for port in service["spec"]["ports"]
    }
    targets = {port["targetPort"] for service in rendered.services for port in service["spec"]["ports"]}
    opened = {port["containerPort"] for container in containers(rendered) for port in container.get("ports", [])}

    # then whatever the route sends requests to is there, and so is what the Services send them to
    wanted = {
        (ref["name"], ref["port"])
        for route in rendered.routes
        for rule in route["spec"]["rules"]
        for ref in rule["backendRefs"]
    }
    assert wanted <= offered
    assert targets <= opened


@given(specs)
def test_a_stored_revision_is_read_back_the_same(spec: ModelDeploymentSpec) -> None:
    revision = revision_of(spec, number=7)
    stored = build_controller_revision(OWNER, revision)
    assert read_controller_revision(stored) == revision
    # A lost one can be made again from what the Deployment says.
    kept = build_deployment(OWNER, Color.BLUE, revision, 1)["metadata"]["annotations"][ANNOTATION_INPUT]
    assert RevisionInput.model_validate_json(kept) == revision.input


@given(specs)
def test_pods_keep_to_the_restricted_pod_security_standard(spec: ModelDeploymentSpec) -> None:
    rendered = render(spec)
    pod = rendered.revision.template["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"].get("runAsUser", 1) > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod.keys()
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    assert all(set(volume) - {"name"} < allowed for volume in pod["volumes"])
    for container in containers(rendered):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True
        assert not any("hostPort" in port for port in container.get("ports", []))
        assert not container["image"].endswith(":latest")
    # Nobody in a pod needs the Kubernetes API.
    assert pod["automountServiceAccountToken"] is False


@given(specs)
def test_the_users_ids_replace_ours_as_a_whole(spec: ModelDeploymentSpec) -> None:
    wanted = spec.serving.pod_template.security_context
    found = render(spec).revision.template["spec"]["securityContext"]
    assert found.pop("runAsNonRoot") is True
    assert found.pop("seccompProfile") == {"type": "RuntimeDefault"}
    if wanted is None:
        assert found == {"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
    else:
        assert {"supplementalGroups": [], **found} == wanted.manifest()


@given(specs)
def test_the_users_labels_and_annotations_are_on_the_pods_and_never_in_the_selectors(spec: ModelDeploymentSpec) -> None:
    wanted, rendered = spec.serving.pod_template, render(spec)
    for deployment in rendered.deployments.values():
        metadata = deployment["spec"]["template"]["metadata"]
        assert wanted.labels.items() <= metadata["labels"].items()
        assert wanted.annotations.items() <= metadata["annotations"].items()
        assert set(deployment["spec"]["selector"]["matchLabels"]) == {LABEL_MODEL, LABEL_COLOR}
        # A node is emptied for the cluster autoscaler unless the user says otherwise.
        evicted = metadata["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"]
        assert evicted == wanted.annotations.get("cluster-autoscaler.kubernetes.io/safe-to-evict", "true")


@given(specs)
def test_what_is_mounted_is_there_and_only_the_fetch_container_writes_models_and_reads_secrets(
    spec: ModelDeploymentSpec,
) -> None:
    rendered = render(spec)
    volumes = {volume["name"]: volume for volume in rendered.revision.template["spec"]["volumes"]}
    mounts = {
        container["name"]: {mount["name"]: mount for mount in container["volumeMounts"]}
        for container in containers(rendered)
    }
    assert set().union(*mounts.values()) == set(volumes)
    assert ("fetch" in mounts) is (spec.model.digest is not None)
    assert ("model" in mounts["triton"]) is (spec.model.scheme != "image")
    for name in ("triton", "api"):
        assert mounts[name].get("model", {"readOnly": True})["readOnly"] is True
        assert "model-credentials" not in mounts[name]


@given(specs)
def test_the_container_that_runs_an_authors_code_is_given_no_secret_but_what_the_user_names(
    spec: ModelDeploymentSpec,
) -> None:
    # given which volumes hold secrets, and which variables the user has for every container
    rendered = render(spec)
    pod = rendered.revision.template["spec"]
    secrets = {volume["name"] for volume in pod["volumes"] if "secret" in volume or "projected" in volume}
    named = [variable.manifest() for variable in spec.serving.pod_template.env]
    triton, api = (next(each for each in containers(rendered) if each["name"] == name) for name in ("triton", "api"))

    # then Triton, beside which preprocess.py runs, has none of them
    assert not secrets & {mount["name"] for mount in triton["volumeMounts"]}
    assert "envFrom" not in triton
    assert not any("secretKeyRef" in each.get("valueFrom", {}) for each in triton["env"] if each not in named)
    # and neither container can look into the processes of the other, with which it shares only folders
    assert not pod.get("shareProcessNamespace", False)
    mounted = {mount["mountPath"]: mount["name"] for mount in api["volumeMounts"]}
    assert all(mounted[mount["mountPath"]] == mount["name"] for mount in triton["volumeMounts"])


@given(specs)
def test_what_the_operator_sets_is_what_the_containers_see(spec: ModelDeploymentSpec) -> None:
    # The last of two variables with one name would win.
    for container in containers(render(spec)):
        names = [variable["name"] for variable in container["env"]]
        assert len(set(names)) == len(names)
        for variable in spec.serving.pod_template.env:
            assert variable.manifest() in container["env"]


@given(specs)
def test_a_pod_is_given_time_for_its_longest_request(spec: ModelDeploymentSpec) -> None:
    # given how long a pod still takes new requests after it was told to go, and how long one of them may take
    rendered = render(spec)
    delays = {
        variable.get("value")
        for container in containers(rendered)
        for variable in container["env"]
        if variable["name"] == "VIRIDIAN_DRAIN_DELAY"
    }
    (delay,) = delays

    # then it is not killed before the last of them is answered
    needed = parse_duration(delay) + parse_duration(spec.serving.timeout)
    assert rendered.revision.template["spec"]["terminationGracePeriodSeconds"] >= needed.total_seconds()


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"serving": {"replicas": 7}}, True),
        ({"serving": {"cache": {"ttl": "30s"}}}, True),
        ({"serving": {"rateLimit": {"requestsPerSecond": 5}}}, True),
        ({"serving": {"log": {"sample": "0.1"}}}, True),
        ({"model": {"changes": "told better"}}, True),
        ({"revisionHistoryLimit": 9}, True),
        ({"traffic": {"path": "/iris"}}, True),
        ({"rollout": {"deadline": "3h"}}, True),
        ({"guards": {"errorRate": {"max": "1%"}}}, True),
        ({"model": {"version": "v1.0.1"}}, False),
        ({"model": {"uri": "image:///models/other"}}, False),
        ({"serving": {"image": "registry.example.com/iris:1.1"}}, False),
        ({"model": {"format": "triton"}}, False),
        ({"model": {"digest": f"sha256:{'0a' * 32}"}}, False),
        ({"model": {"maxSize": "3Gi"}}, False),
        ({"model": {"fetchTimeout": "5m"}}, False),
        ({"serving": {"podTemplate": {"nodeSelector": {"pool": "gpu"}}}}, False),
        ({"serving": {"podTemplate": {"env": [{"name": "A", "value": "b"}]}}}, False),
        ({"serving": {"podTemplate": {"labels": {"team": "ml"}}}}, False),
        ({"serving": {"podTemplate": {"annotations": {"example.com/owner": "fraud"}}}}, False),
        ({"serving": {"podTemplate": {"priorityClassName": "stable-models"}}}, False),
        ({"serving": {"podTemplate": {"securityContext": {}}}}, False),
        ({"serving": {"podTemplate": {"securityContext": {"runAsUser": 2000}}}}, False),
        ({"serving": {"timeout": "11s"}}, False),
        ({"serving": {"triton": {"resources": {"limits": {"memory": "1Gi"}}}}}, False),
        ({"serving": {"api": {"resources": {"requests": {"cpu": "1"}}}}}, False),
    ],
    ids=str,
)
def test_what_makes_a_new_revision(change: dict[str, Any], same: bool) -> None:
    # given a spec with one change
    document = SPEC.manifest()
    for section, fields in change.items():
        document[section] = {**document[section], **fields} if isinstance(fields, dict) else fields
    changed = ModelDeploymentSpec.model_validate(document)

    # then it is another revision only if other pods are wanted
    assert changed != SPEC
    assert (RevisionInput.of(changed) == RevisionInput.of(SPEC)) is same


def test_what_an_older_operator_stored_is_still_what_the_same_manifest_asks_for() -> None:
    # given a revision from before models had digests and pods a template of the user's
    old = {
        "model": {"version": "v1.0.0", "uri": "image:///models/iris/v1.0.0", "format": "onnx", "changes": ""},
        "serving": {
            "replicas": 1,
            "image": "registry.example.com/iris:1.0",
            "triton": {"resources": {"requests": {}, "limits": {}}},
            "api": {"resources": {"requests": {}, "limits": {}}},
            "timeout": "10s",
        },
    }
    stored = {**build_controller_revision(OWNER, revision_of(SPEC))}
    stored["data"] = {**stored["data"], "input": old}

    # then an upgrade starts no rollout
    assert read_controller_revision(stored).input == RevisionInput.of(SPEC)


def broken(**changes: object) -> dict[str, Any]:
    stored = build_controller_revision(OWNER, revision_of(SPEC))
    data = {key: value for key, value in {**stored["data"], **changes}.items() if value is not None}
    return {**stored, "data": data}


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (broken(schema=2), ["layout 2", "reads 1", "or a newer one"]),
        (broken(schema=None), ["layout None"]),
        ({**broken(), "data": None}, ["layout None"]),
        (broken(input=None), ["input", "delete it and apply the model again"]),
        (broken(template=None), ["template", "delete it and apply the model again"]),
        (broken(template={}), ["template", "delete it and apply the model again"]),
        (broken(template="text"), ["template", "delete it and apply the model again"]),
        (
            broken(input={"model": {}, "serving": {}}),
            ["data.input.model.version: Field required", "delete it and apply the model again"],
        ),
        (broken(input="text"), ["input", "delete it and apply the model again"]),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[0],
)
def test_a_broken_revision_is_told_in_a_sentence(stored: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(BrokenChild, match=r"^ControllerRevision iris-1 ") as error:
        read_controller_revision(stored)
    for words in says:
        assert words in str(error.value)
    assert "\n" not in str(error.value)


def containers(rendered: Rendered) -> list[dict[str, Any]]:
    pod = rendered.revision.template["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


def selects(service: dict[str, Any], labels: dict[str, str]) -> bool:
    selector = service["spec"]["selector"]
    assert LABEL_MODEL in selector
    return bool(selector.items() <= labels.items())


@given(specs)
def test_our_containers_go_by_the_names_that_they_are_told_from_injected_ones_by(spec: ModelDeploymentSpec) -> None:
    pods = render(spec).revision.template["spec"]
    assert {container["name"] for container in pods["containers"]} == SERVING_CONTAINERS
    assert {container["name"] for container in pods.get("initContainers", [])} <= {FETCH_CONTAINER}


def test_the_pods_of_a_check_read_no_label_that_they_do_not_have() -> None:
    # given a model whose files are fetched, for each of its checks as well
    source = {"version": "v1", "uri": "s3://models/iris/v1/", "digest": f"sha256:{64 * '0'}"}
    spec = ModelDeploymentSpec.model_validate({**SPEC.manifest(), "model": source, "checks": {"golden": {}}})
    jobs = render(spec).checks
    assert len(jobs) == 2
    for job in jobs:
        template = job["spec"]["template"]
        labels = {f"metadata.labels['{label}']" for label in template["metadata"]["labels"]}
        containers = [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]
        variables = [each for container in containers for each in container.get("env", [])]
        read = {
            each["valueFrom"]["fieldRef"]["fieldPath"] for each in variables if "fieldRef" in each.get("valueFrom", {})
        }
        assert {path for path in read if path.startswith("metadata.labels")} <= labels
        assert [each["value"] for each in variables if each["name"] == "VIRIDIAN_COLOR"] == ["green", "green"]


def test_a_dollar_sign_in_an_address_stands_for_itself() -> None:
    # given an address that looks like a reference to another variable
    uri = "https://models.example.com/$(VIRIDIAN_MODEL)/$$.onnx"
    source = {"version": "v1", "uri": uri, "digest": f"sha256:{64 * '0'}"}
    spec = ModelDeploymentSpec.model_validate({**SPEC.manifest(), "model": source})
    # when its pods are rendered
    pods = render(spec).revision.template["spec"]
    # then the kubelet makes of it what it was
    for container in (*pods["initContainers"], *pods["containers"]):
        (given,) = [each["value"] for each in container["env"] if each["name"] == "VIRIDIAN_MODEL_URI"]
        assert given == "https://models.example.com/$$(VIRIDIAN_MODEL)/$$$$.onnx"


@given(specs)
def test_a_deployment_is_not_called_stuck_while_its_pods_may_still_start(spec: ModelDeploymentSpec) -> None:
    # given all that may pass before a pod is ready: its files are fetched, and Triton is started twice
    fetching = spec.model.fetch_timeout if spec.model.digest is not None else "0s"
    longest = parse_duration(fetching) + 2 * parse_duration(spec.serving.start_timeout)

    # then each Deployment waits for longer
    for deployment in render(spec).deployments.values():
        assert deployment["spec"]["progressDeadlineSeconds"] > longest.total_seconds()


def test_an_input_that_was_stored_before_a_field_existed_is_the_same_revision() -> None:
    # given a revision as it was stored when pods had neither labels nor a priority of the user's
    stored = RevisionInput.of(SPEC).manifest()
    stored["serving"]["podTemplate"] = {"nodeSelector": {}, "tolerations": [], "imagePullSecrets": [], "env": []}

    # then it is what the same spec asks for today
    assert RevisionInput.read(stored) == RevisionInput.of(SPEC)
