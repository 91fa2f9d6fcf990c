"""`kubectl viridian lint`: what the API server refuses is an error, and what is risky a warning."""

import io
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.test_golden import hold_against

from viridian.cli.linting.lint import Level, lint
from viridian.cli.main import main

ROOT = Path(__file__).parents[2]
CASES = yaml.safe_load((ROOT / "tests" / "component" / "api" / "admission.yaml").read_text())
"""What a real API server accepts and refuses; a component test holds it against that."""
PYDANTIC = re.compile(r"Input should|after validation|Value error|String should|valid string")
"""Words of a library that a user does not know."""
EXAMPLES = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "examples").glob("*.yaml"))


def merged(base: Any, change: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    both = {key: merged(base.get(key), value) for key, value in change.items()}
    return {key: value for key, value in {**base, **both}.items() if value is not None}


def changed(case: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = merged(CASES["good"], case.get("change", {}))
    return made


def errors(manifest: dict[str, Any]) -> list[str]:
    found = lint(manifest, None, timedelta(seconds=15))
    return [f"{one.field} {one.message}" for one in found if one.level is Level.ERROR]


def warnings(rpm: float | None = None, **spec: Any) -> list[str]:
    manifest = merged(CASES["good"], {"spec": {"guards": {"latency": [{"percentile": "95", "max": "200ms"}]}}})
    manifest = merged(manifest, {"spec": {"serving": {"replicas": 2}}})
    found = lint(merged(manifest, {"spec": spec}), rpm, timedelta(seconds=15))
    assert all(one.level is Level.WARNING for one in found)
    return [f"{one.field} {one.message}" for one in found]


@pytest.mark.parametrize("case", CASES["accepted"], ids=lambda case: case["case"])
def test_what_the_api_server_accepts_has_no_error(case: dict[str, Any]) -> None:
    assert errors(changed(case)) == []


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["case"])
def test_what_the_api_server_refuses_is_an_error_of_the_same_field(case: dict[str, Any]) -> None:
    found = errors(changed(case))
    entry = re.sub(r"\[([a-z]+)\]", r".\1", case["field"])  # the API server writes some entries of maps in brackets
    assert {one.split()[0] for one in found} == {entry}
    assert not [one for one in found if PYDANTIC.search(one)]


def test_all_errors_are_said_at_once() -> None:
    # given a manifest with a mistake of each kind: a rule, a type, a bound, a missing and an unknown field
    change = {
        "model": {"version": "latest", "uri": "https://x.org/m.onnx"},
        "traffic": {"path": "digits"},
        "serving": {"replicas": 0, "replica": 3, "timeout": 30},
        "rollout": {"steps": [{"weight": 50, "hold": "1m"}, {"weight": 25, "hold": "1m"}, {"weight": 60}]},
    }
    # when it is read
    found = errors(merged(CASES["good"], {"spec": change}))
    # then each is said, but for what a rule would say about steps of which one is unknown
    assert {one.split()[0] for one in found} == {
        "spec.model.version",
        "spec.model.digest",
        "spec.traffic.path",
        "spec.serving.replicas",
        "spec.serving.replica",
        "spec.serving.timeout",
        "spec.rollout.steps[2].hold",
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"spec": {"model": {"version": "latest"}}}, "spec.model.version is 'latest': must be a semantic version"),
        ({"spec": {"model": {"digset": "x"}}}, "spec.model.digset does not exist: check its spelling"),
        ({"spec": {"replicas": 2}}, "spec.replicas does not exist"),
        ({"spec": {"model": {"version": None}}}, "spec.model.version is missing: it has no default"),
        (
            {"spec": {"model": {"uri": "https://x.org/m.onnx"}}},
            "spec.model.digest it is needed, so that every pod serves",
        ),
        ({"spec": {"rollout": {"deadline": "1m"}}}, "the holds of all steps and the bake do not fit"),
        ({"spec": {"rollout": {"steps": [{"weight": 5, "hold": "two"}]}}}, "spec.rollout.steps[0].hold 'two' is not a"),
        ({"metadata": {"name": "Iris"}}, "metadata.name is 'Iris': write at most 57 lower-case letters"),
        ({"metadata": {"name": "iris-blue"}}, "not ending in -blue or -green"),
        ({"spec": {"traffic": {"path": "digits"}}}, "spec.traffic.path is 'digits': must begin with /"),
        ({"spec": {"serving": {"replicas": 0}}}, "spec.serving.replicas is 0: write at least 1"),
        (
            {"spec": {"serving": {"triton": {"resources": {"limits": {"cpu": 1.5}}}}}},
            "spec.serving.triton.resources.limits.cpu is 1.5, which YAML does not read as text: put it in quotes",
        ),
        ({"spec": {"serving": {"timeout": 30}}}, "spec.serving.timeout 30 is not a duration: write whole numbers with"),
        ({"spec": {"guards": {"errorRate": {"max": 5}}}}, "5 is not a percentage above 0% and below 100%: write a"),
        ({"spec": {"model": {"changes": 7}}}, "changes is 7, which YAML does not read as text: put it in quotes"),
        ({"spec": {"serving": {"replicas": "2"}}}, "replicas is '2': write a whole number, without quotes"),
        (
            {"spec": {"rollout": {"steps": [{"weight": 50, "hold": "1m"}, {"weight": 25, "hold": "1m"}]}}},
            "spec.rollout.steps the weights must increase from step to step",
        ),
        ({"kind": "Deployment"}, "kind is 'Deployment': write ModelDeployment"),
        ({"spec": None}, "spec is missing"),
    ],
)
def test_an_error_names_the_field_and_the_way_out(change: dict[str, Any], says: str) -> None:
    found = errors(merged(CASES["good"], change))
    assert any(says in one for one in found), found


@pytest.mark.parametrize(
    ("spec", "rpm", "says"),
    [
        (
            {"rollout": {"steps": [{"weight": 5, "hold": "10s"}]}},
            None,
            "spec.rollout.steps[0].hold is 10s, shorter than Prometheus' scrape interval of 15s",
        ),
        ({"rollout": {"bake": {"duration": "20s"}}}, None, "duration is 20s, not longer than serving.timeout (30s)"),
        ({"serving": {"replicas": 1}}, None, "spec.serving.replicas is 1, with guards on latency"),
        (
            {"serving": {"replicas": 1}, "guards": {"latency": []}},
            None,
            "is 1: nobody is answered while its node is drained",
        ),
        (
            {"serving": {"api": {"resources": {"limits": {"memory": "256m"}}}}},
            None,
            "spec.serving.api.resources.limits.memory is 256m, less than 1Mi",
        ),
        ({"guards": {"latency": []}}, None, "spec.guards.latency is empty"),
        ({"guards": {"errorRate": {"max": "60%"}}}, None, "half of the users may see errors"),
        ({}, 60, "at 60 requests a minute the candidate gets about 6 in it with 5 %"),
        ({}, 1, "the rollout expires; raise the weight or the maximum"),
        (
            {"rollout": {"steps": [{"weight": 5, "hold": "2m", "minRequests": 9000}]}},
            60,
            "they do not arrive before rollout.deadline",
        ),
        ({}, 60, "spec.rollout.steps are too short for 60 requests a minute"),
    ],
)
def test_what_is_risky_is_a_warning(spec: dict[str, Any], rpm: float | None, says: str) -> None:
    found = warnings(rpm, **spec)
    assert any(says in one for one in found), found


def test_a_shadow_step_is_measured_by_its_copies_and_compared_with_nothing() -> None:
    steps = [{"shadow": "10%", "hold": "20s"}, {"weight": 5, "hold": "10m"}, {"weight": 50, "hold": "30m"}]
    found = warnings(60, rollout={"steps": steps, "bake": {"duration": "30m"}})
    assert found[0].startswith(
        "spec.rollout.steps[0].hold is 20s: at 60 requests a minute the candidate gets about 2 in"
    )
    assert "with 10 %" in found[0]
    assert not [each for each in found if "change of weight" in each]  # though it is shorter than serving.timeout


def test_a_careful_manifest_with_much_traffic_has_no_warning() -> None:
    assert warnings(rpm=60_000) == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_have_no_errors(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(ROOT / example)]) == 0
    assert capsys.readouterr().err.startswith("0 errors")


def test_the_exit_status_tells_errors_from_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given a risky manifest and a wrong one
    risky, wrong = tmp_path / "risky.yaml", tmp_path / "wrong.yaml"
    risky.write_text(yaml.safe_dump(CASES["good"]))
    wrong.write_text(yaml.safe_dump(merged(CASES["good"], {"spec": {"model": {"version": "latest"}}})))
    # then
    assert main(["lint", str(risky)]) == 0
    assert main(["lint", "--strict", str(risky)]) == 1
    assert main(["lint", str(risky), str(wrong)]) == 1
    capsys.readouterr()
    assert main(["lint", "-o", "json", str(wrong)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(one["level"], one["field"]) for one in found] == [("error", "spec.model.version")]


def test_a_file_is_read_as_kubectl_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given what YAML takes for a date, and for a number where a name stands
    spec = {"model": {"changes": date(2026, 1, 1)}, "serving": {"podTemplate": {"labels": {1: "a"}}}}
    file = tmp_path / "iris.yaml"
    file.write_text(yaml.safe_dump(merged(CASES["good"], {"spec": spec})))
    # then both are text
    assert main(["lint", str(file)]) == 0


@pytest.mark.parametrize("changes", ["!!binary /w==", "&a [*a]"])
def test_what_json_has_not_is_no_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: str) -> None:
    file = tmp_path / "iris.yaml"
    file.write_text(f"kind: ModelDeployment\nspec: {{model: {{changes: {changes}}}}}\n")
    assert main(["lint", str(file)]) == 1
    assert f"{file} has something that JSON has not, as the API server reads it: " in capsys.readouterr().err


def test_text_for_people(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # given a manifest with one of each kind of risk
    risky = {
        "serving": {"replicas": 1},
        "rollout": {
            "steps": [{"weight": 5, "hold": "10s"}, {"weight": 25, "hold": "20s", "minRequests": 5000}],
            "bake": {"duration": "5m"},
        },
        "guards": {"errorRate": {"max": "60%"}},
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(yaml.safe_dump(merged(CASES["good"], {"spec": risky}))))
    # then
    assert main(["lint", "--rpm", "60", "-"]) == 0
    said = capsys.readouterr()
    hold_against("lint.txt", said.out + said.err)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "iris.yaml is not YAML: line 1, column 5: expected"),
        ("kind: Service", "has no ModelDeployment"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_manifest_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, says: str
) -> None:
    file = tmp_path / "iris.yaml"
    if text is not None:
        file.write_text(text)
    assert main(["lint", str(file)]) == 1
    assert says in capsys.readouterr().err


def test_what_comes_from_standard_input_is_called_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a: b: c"))
    assert main(["lint", "-"]) == 1
    said = capsys.readouterr().err
    assert said == "standard input is not YAML: line 1, column 5: mapping values are not allowed here.\n"


def test_one_error_is_counted_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(merged(CASES["good"], {"spec": {"model": {"version": "latest"}}})))
    main(["lint", str(wrong)])
    assert capsys.readouterr().err == "1 error, 0 warnings\n"
