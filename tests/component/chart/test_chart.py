"""The chart, rendered and installed by Helm."""

import subprocess
from typing import Any

import pytest
import yaml
from tests.component.harness import chart
from tests.component.harness.binaries import REPOSITORY, tool
from tests.component.harness.control_plane import ControlPlane

from viridian.api.serving import Resources
from viridian.controller.runtime.configuration import Configuration
from viridian.controller.runtime.notification_settings import NotificationSettings


def test_the_chart_has_no_faults() -> None:
    # when Helm looks for faults, taking warnings for such
    told = chart.run("lint", "--strict", chart.CHART, "--kube-version", "1.34.0")

    # then there are none
    assert "0 chart(s) failed" in told


def test_the_definition_is_the_committed_one_and_stays() -> None:
    # given the committed definition
    committed = yaml.safe_load((REPOSITORY / "crds" / "viridian.dev_modeldeployments.yaml").read_text())

    # when the chart is rendered
    [rendered] = chart.of_kind(chart.render(), "CustomResourceDefinition")

    # then it has the same, and Helm never deletes it
    assert rendered["spec"] == committed["spec"]
    assert rendered["metadata"]["name"] == committed["metadata"]["name"]
    assert rendered["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_definition_can_be_left_out() -> None:
    assert chart.of_kind(chart.render(crds__install="false"), "CustomResourceDefinition") == []


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"image__tag": "latest"}, "/image/tag"),
        ({"image__tag": ""}, "/image/tag"),
        ({"image__repository": ""}, "/image/repository"),
        ({"image__digest": "sha256:abc"}, "/image/digest"),
        ({"servingImage": "registry.example/serving:latest"}, "/servingImage"),
        ({"servingImage": "registry.example/serving"}, "/servingImage"),
        ({"servingImage": "registry.example:5000/serving"}, "/servingImage"),
        ({"serving__defaultResources__api__requests__cpu": "much"}, "/serving/defaultResources/api/requests/cpu"),
        ({"serving__defaultResources__fetch__requests__cpu": "1"}, "'fetch'"),
        ({"prometheus__url": "prometheus:9090"}, "/prometheus/url"),
        ({"prometheus__scrapeInterval": "often"}, "/prometheus/scrapeInterval"),
        ({"prometheus__userQueries__url": "proxy:8080"}, "/prometheus/userQueries/url"),
        ({"prometheus__scrapeInterval": "30s1m"}, "/prometheus/scrapeInterval"),
        ({"prometheus__scrapeInterval": ""}, "/prometheus/scrapeInterval"),
        ({"monitoring__podMonitor__enabled": "perhaps"}, "/monitoring/podMonitor/enabled"),
        ({"monitoring__namespace": "Monitoring"}, "/monitoring/namespace"),
        ({"watch__namespace": "ml"}, "'namespace'"),
        ({"watch__namespaces": "{Ml}"}, "/watch/namespaces/0"),
        ({"logLevel": "LOUD"}, "/logLevel"),
        ({"replicas": "0"}, "/replicas"),
        ({"replica": "2"}, "'replica'"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(values: dict[str, str], names: str) -> None:
    # when the chart is rendered with a value that cannot work
    with pytest.raises(chart.HelmError) as refused:
        chart.render(**values)

    # then Helm names it
    assert names in str(refused.value)


def test_the_pod_is_as_restricted_as_a_pod_can_be() -> None:
    # when the chart is rendered
    [deployment] = chart.of_kind(chart.render(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]

    # then it runs as nobody, on a file system that it cannot write to
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["image"] == "registry.example/viridian/operator:v1.0.0"
    assert container["command"] == ["python", "-m", "viridian.controller"]


def environment(**values: str) -> dict[str, str | None]:
    [deployment] = chart.of_kind(chart.render(**values), "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable.get("value") for variable in container["env"]}


def test_the_operator_reads_the_default_resources_as_the_chart_writes_them() -> None:
    # given the chart's own values, and others
    as_it_is = environment()
    others = environment(serving__defaultResources__api__limits__cpu="2", serving__defaultResources__triton="null")

    # when the operator reads what they become
    found = [
        Configuration.from_environment(
            {name: value or "" for name, value in variables.items()} | {"VIRIDIAN_LEASE_NAMESPACE": "viridian-system"}
        ).default_resources
        for variables in (as_it_is, others)
    ]

    # then it has what the chart says
    small = {"cpu": "100m", "memory": "128Mi"}
    assert found[0].api == Resources(requests=small, limits={"memory": "1Gi"})
    assert found[0].triton.requests.keys() == {"cpu", "memory"}
    assert found[0].triton.limits.keys() == {"memory"}
    assert found[1].triton == Resources()
    assert found[1].api == Resources(requests=small, limits={"cpu": 2, "memory": "1Gi"})


def test_a_second_operator_is_ready_to_follow_and_sits_elsewhere_if_it_can() -> None:
    # when the chart is rendered
    manifests = chart.render()
    [deployment], [budget] = chart.of_kind(manifests, "Deployment"), chart.of_kind(manifests, "PodDisruptionBudget")
    template = deployment["spec"]["template"]

    # then there are two, the new ones of an update come before the old ones go, and one stays when a node is drained
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    [apart] = template["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert apart["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert apart["podAffinityTerm"]["labelSelector"]["matchLabels"] == budget["spec"]["selector"]["matchLabels"]


def test_a_digest_wins_over_a_tag() -> None:
    # given an image with both
    digest = f"sha256:{'0' * 64}"

    # when the chart is rendered
    [deployment] = chart.of_kind(chart.render(image__digest=digest), "Deployment")

    # then the image is named by its digest
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example/viridian/operator@{digest}"


def test_the_operator_starts_with_the_settings_that_the_chart_gives_it() -> None:
    # given the environment of the rendered container
    configuration = pytest.importorskip("viridian.controller.runtime.configuration")
    [deployment] = chart.of_kind(chart.render(watch__namespaces="{ml,research}", logLevel="DEBUG"), "Deployment")
    pod = {
        "metadata.namespace": "viridian-system",
        "metadata.name": "viridian-7d4-x2x",
        "status.podIP": "10.244.0.9",
    }
    environment = {
        entry["name"]: entry["value"] if "value" in entry else pod[entry["valueFrom"]["fieldRef"]["fieldPath"]]
        for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }

    # when the operator reads it
    settings = configuration.Configuration.from_environment(environment)

    # then every value has arrived
    assert settings.prometheus_url == "http://prometheus.monitoring:9090"
    assert settings.scrape_interval.total_seconds() == 15
    assert settings.serving_image == "registry.example/viridian/serving:1.0.0"
    assert settings.namespaces == ("ml", "research")
    assert settings.sweep_period.total_seconds() == 600
    assert settings.log_level == "DEBUG"
    assert settings.probe_endpoint == "http://10.244.0.9:8080/healthz"
    assert settings.lease == ("viridian-system", "viridian")
    assert settings.identity == "viridian-7d4-x2x"


@pytest.mark.parametrize(
    ("values", "discovered", "selected"),
    [({}, None, {"any": True}), ({"watch__namespaces": "{ml}"}, {"names": ["ml"]}, {"matchNames": ["ml"]})],
    ids=["all namespaces", "some"],
)
def test_prometheus_is_told_of_the_watched_namespaces_in_one_way(
    values: dict[str, str], discovered: Any, selected: Any
) -> None:
    # when the chart is rendered for a Prometheus of the namespace `monitoring`, without its operator and with it
    wanted = {**values, "monitoring__namespace": "monitoring", "prometheus__scrapeInterval": "1m30s"}
    plain = chart.render(**wanted)
    monitored = chart.render(**wanted, monitoring__podMonitor__enabled="true", monitoring__podMonitor__labels__a="b")

    # then either it reads a file or its operator a PodMonitor, never both: each pod would be scraped twice
    [file], [monitor] = chart.of_kind(plain, "ConfigMap"), chart.of_kind(monitored, "PodMonitor")
    assert chart.of_kind(plain, "PodMonitor") == chart.of_kind(monitored, "ConfigMap") == []
    # and both say the same
    [job] = yaml.safe_load(file["data"]["viridian-models.yaml"])["scrape_configs"]
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert file["metadata"]["namespace"] == monitor["metadata"]["namespace"] == "monitoring"
    assert job["scrape_interval"] == endpoint["interval"] == "1m30s"
    assert job["kubernetes_sd_configs"][0].get("namespaces") == discovered
    assert monitor["spec"]["namespaceSelector"] == selected
    assert monitor["metadata"]["labels"].items() >= {"a": "b", "app.kubernetes.io/name": "viridian"}.items()


def test_the_release_is_installed_and_its_notes_say_how_to_go_on(
    control_plane: ControlPlane, crd: str, namespace: str
) -> None:
    # when a user installs the chart, where the definition is there already
    where = ("--namespace", namespace, "--kubeconfig", control_plane.kubeconfig)
    told = chart.run(
        "install", "viridian", chart.CHART, *where, crds__install="false", watch__namespaces=f"{{{namespace}}}"
    )

    # then its objects are there, and the manifest in the notes is one that the API server takes
    try:
        assert control_plane.apps.read_namespaced_deployment("viridian", namespace).spec.replicas == 2
        shown = told.split("<<'EOF'\n")[1].split("  EOF")[0]
        example = yaml.safe_load(shown.replace("GATEWAYS", "gateways").replace("GATEWAY", "public"))
        assert example["metadata"]["namespace"] == namespace
        control_plane.apply(example)
    finally:
        subprocess.run([tool("helm"), "uninstall", "viridian", *where], check=True, capture_output=True)


def test_names_that_look_like_numbers_stay_names() -> None:
    # given a namespace and a release whose names are not words
    names = ("--namespace", "2024", "--set-json", 'watch.namespaces=["2025", "on"]')
    text = chart.run("template", "77", chart.CHART, "--kube-version", "1.34.0", *names)
    # when the chart is rendered
    manifests = [manifest for manifest in yaml.safe_load_all(text) if manifest]
    # then they are written as what they are
    namespaces = {manifest["metadata"].get("namespace", "") for manifest in manifests}
    assert namespaces == {"", "2024", "2025", "on"}
    labels = [manifest["metadata"].get("labels", {}) for manifest in manifests]
    assert {each["app.kubernetes.io/instance"] for each in labels if "app.kubernetes.io/instance" in each} == {"77"}
    (scrape,) = [m for m in chart.of_kind(manifests, "ConfigMap") if "viridian-models.yaml" in m["data"]]
    (job,) = yaml.safe_load(scrape["data"]["viridian-models.yaml"])["scrape_configs"]
    assert job["kubernetes_sd_configs"][0]["namespaces"]["names"] == ["2025", "on"]


def test_argo_cd_gets_the_lua_of_the_files() -> None:
    # given
    assert not any(
        found["metadata"]["name"].endswith("-argocd") for found in chart.of_kind(chart.render(), "ConfigMap")
    )
    lua = chart.CHART / "files" / "argocd"
    kind = "viridian.dev_ModelDeployment"

    # when it is asked for, for an Argo CD outside the cluster
    rendered = chart.of_kind(chart.render(argocd__customizations="true", argocd__account="bob"), "ConfigMap")

    # then both customizations are what the tests of the files have run, with that account
    [data] = [found["data"] for found in rendered if found["metadata"]["name"].endswith("-argocd")]
    actions = yaml.safe_load(data[f"resource.customizations.actions.{kind}"])
    assert data[f"resource.customizations.health.{kind}"].strip() == (lua / "health.lua").read_text().strip()
    assert actions["discovery.lua"].strip() == (lua / "discovery.lua").read_text().strip()
    account = "system:serviceaccount:argocd:argocd-server"
    assert {each["name"]: each["action.lua"].strip() for each in actions["definitions"]} == {
        file.stem: file.read_text().replace(account, "bob").strip() for file in (lua / "actions").glob("*.lua")
    }


def test_the_operator_s_metrics_are_scraped_in_one_way() -> None:
    # when the chart is rendered without the Prometheus Operator and with it
    plain = chart.render()
    monitored = chart.render(monitoring__serviceMonitor__enabled="true", monitoring__serviceMonitor__labels__a="b")
    # then either it reads a file, or its operator a ServiceMonitor
    [file], [monitor] = chart.of_kind(plain, "ConfigMap"), chart.of_kind(monitored, "ServiceMonitor")
    assert chart.of_kind(plain, "ServiceMonitor") == []
    assert [list(each["data"]) for each in chart.of_kind(monitored, "ConfigMap")] == [["viridian-models.yaml"]]
    assert monitor["metadata"]["labels"]["a"] == "b"
    # and both find the port of the operator's pods by its name
    [job] = yaml.safe_load(file["data"]["viridian-operator.yaml"])["scrape_configs"]
    [deployment], [service] = chart.of_kind(plain, "Deployment"), chart.of_kind(plain, "Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "metrics", "containerPort": 8081} in container["ports"]
    assert job["relabel_configs"][0]["regex"] == monitor["spec"]["endpoints"][0]["port"] == "metrics"
    assert labels.items() >= service["spec"]["selector"].items()
    assert service["metadata"]["labels"].items() >= monitor["spec"]["selector"]["matchLabels"].items()


def test_receivers_reach_the_operator_with_their_secrets_left_where_they_are() -> None:
    # when the chart names a receiver in a Secret, and one that is no secret
    values = {
        "notifications__receivers[0]__secretRef__name": "alerts",
        "notifications__receivers[1]__url": "https://events.example.com/x",
        "notifications__receivers[1]__events[0]": "RolledBack",
        "notifications__allowedHosts": "{hooks.example.com}",
    }
    [deployment] = chart.of_kind(chart.render(**values), "Deployment")
    variables = {each["name"]: each for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    # then the operator reads both, and the address in the Secret is in no manifest
    assert variables["VIRIDIAN_NOTIFY_URL_0"]["valueFrom"] == {"secretKeyRef": {"name": "alerts", "key": "url"}}
    settings = NotificationSettings.model_validate_json(variables["VIRIDIAN_NOTIFICATIONS"]["value"])
    first, second = settings.receivers
    assert (first.variable, second.url) == ("VIRIDIAN_NOTIFY_URL_0", "https://events.example.com/x")
    assert settings.allowed_hosts == ["hooks.example.com"]
