"""Rules and dashboards, as the chart brings them."""

import json

import pytest
import yaml
from tests.component.harness import chart

from viridian.controller.runtime.configuration import Configuration

RULES = chart.CHART / "files" / "monitoring" / "rules"


def test_nothing_comes_unasked() -> None:
    kinds = {manifest["kind"] for manifest in chart.render()}
    assert "PrometheusRule" not in kinds


def test_rules_are_those_of_the_files_with_runbooks_where_the_user_has_them() -> None:
    # when
    rendered = chart.render(
        monitoring__rules__enabled="true",
        monitoring__rules__labels__release="users",
        monitoring__rules__runbookUrl="https://wiki.example/runbooks",
        monitoring__namespace="monitoring",
    )
    rules = [manifest for manifest in rendered if manifest["kind"] == "PrometheusRule"]
    # then
    assert sorted(rule["metadata"]["name"] for rule in rules) == [
        "viridian-alerts",
        "viridian-baselines",
        "viridian-cost",
        "viridian-drift",
        "viridian-outcomes",
        "viridian-recording",
    ]
    for rule in rules:
        assert rule["metadata"]["labels"]["release"] == "users"
        assert rule["metadata"]["namespace"] == "monitoring"
        file = RULES / f"{rule['metadata']['name'].removeprefix('viridian-')}.yaml"
        text = file.read_text().replace("https://viridian.dev/docs/runbooks", "https://wiki.example/runbooks")
        assert rule["spec"] == yaml.safe_load(text)


def test_dashboards_are_config_maps_that_the_sidecar_selects() -> None:
    # when
    rendered = chart.render(monitoring__dashboards__enabled="true")
    maps = [m for m in rendered if m["kind"] == "ConfigMap" and "dashboard" in m["metadata"]["name"]]
    # then
    assert len(maps) == 4
    for found in maps:
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        [(name, text)] = found["data"].items()
        assert name.endswith(".json")
        assert json.loads(text)["uid"].startswith("viridian-")


@pytest.mark.parametrize("url", ["runbooks", "https://wiki.example/runbooks/"])
def test_an_address_of_runbooks_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(chart.HelmError, match="/monitoring/rules/runbookUrl"):
        chart.render(monitoring__rules__runbookUrl=url)


def test_prices_reach_the_operator() -> None:
    # when
    rendered = chart.render(cost__currency="EUR", cost__cpuHour="0.03")
    [operator] = [manifest for manifest in rendered if manifest["kind"] == "Deployment"]
    [container] = operator["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each.get("value", "") for each in container["env"]}
    # then
    settings = Configuration.from_environment({**given, "VIRIDIAN_LEASE_NAMESPACE": "viridian-system"})
    assert (settings.cost.currency, settings.cost.cpu_hour, settings.cost.is_set) == ("EUR", 0.03, True)


@pytest.mark.parametrize("values", [{"cost__cpuHour": "-1"}, {"cost__gpuHour": "dear"}, {"cost__diskHour": "1"}])
def test_what_is_no_price_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(chart.HelmError, match="/cost"):
        chart.render(**values)
