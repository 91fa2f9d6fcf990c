"""With drills, the operator may write ModelDeployments, and the API server restricts that to twins."""

import pytest
import yaml
from kubernetes import client
from tests.component.harness import chart
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.loopback import kubernetes_client
from tests.waiting import eventually

MODELS = ("viridian.dev", "v1alpha1")
SPEC = {"model": {"version": "v1.0.0", "uri": "image:///models/iris/v1.0.0"}, "serving": {"replicas": 1}}


def document(namespace: str, name: str, **labels: str) -> dict[str, object]:
    marks = {f"viridian.dev/{key.replace('_', '-')}": value for key, value in labels.items()}
    return {
        "apiVersion": "viridian.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": namespace, "labels": marks},
        "spec": SPEC,
    }


def test_the_operator_writes_twins_and_no_users_model(control_plane: ControlPlane, crd: str, namespace: str) -> None:
    # given an operator with the chart's rights for drills, and its policy
    wanted = ("--namespace", namespace, "--set", "drills.enabled=true", "--set", "crds.install=false")
    text = chart.run("template", "viridian", chart.CHART, "--kube-version", "1.34.0", *wanted)
    policies = [each for each in yaml.safe_load_all(text) if each and "AdmissionPolicy" in each["kind"]]
    assert len(policies) == 2
    kubeconfig = chart.operator_kubeconfig(control_plane, namespace, drills__enabled="true")
    operator = client.CustomObjectsApi(kubernetes_client(kubeconfig))
    for policy in policies:
        control_plane.apply(policy)
    try:
        # when it makes a model that is no twin, then the API server refuses, as soon as it knows the policy
        def is_refused() -> bool:
            try:
                operator.create_namespaced_custom_object(
                    *MODELS, namespace, "modeldeployments", document(namespace, "rose"), dry_run="All"
                )
            except client.ApiException as error:
                return error.status == 403 and "twins of drills" in str(error.body)
            return False

        eventually(is_refused, "the policy to hold")

        # and so it does when it changes or deletes a user's
        control_plane.apply(document(namespace, "iris"))
        iris = (*MODELS, namespace, "modeldeployments", "iris")
        model = control_plane.custom.get_namespaced_custom_object(*iris)
        with pytest.raises(client.ApiException, match="twins of drills"):
            operator.replace_namespaced_custom_object(*iris, model)
        with pytest.raises(client.ApiException, match="twins of drills"):
            operator.delete_namespaced_custom_object(*iris)

        # but twins are its own
        twin = document(namespace, "iris-drill", drill_of="iris")
        made = operator.create_namespaced_custom_object(*MODELS, namespace, "modeldeployments", twin)
        made["spec"]["serving"]["drill"] = {"kind": "Failing"}
        operator.replace_namespaced_custom_object(*MODELS, namespace, "modeldeployments", "iris-drill", made)
        operator.delete_namespaced_custom_object(*MODELS, namespace, "modeldeployments", "iris-drill")
    finally:
        admission = client.AdmissionregistrationV1Api(control_plane.core.api_client)
        admission.delete_validating_admission_policy_binding(policies[1]["metadata"]["name"])
        admission.delete_validating_admission_policy(policies[0]["metadata"]["name"])
