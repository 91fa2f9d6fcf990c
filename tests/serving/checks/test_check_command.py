"""The container of a check, as a process, against pods with a real Triton in each."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serving import models
from tests.serving.files import settings_file
from tests.serving.places import s3_place
from tests.serving.pod import Pod, log_lines, running_pod
from tests.waiting import eventually

from viridian_shared.pod.exit_codes import CHECK_FAILED

pytestmark = pytest.mark.serving

PASSED, CANNOT_RUN = 0, 69
ANSWERED = "the sample is answered; tritonclient gets the same answer to it"
CLOSED = "the sample is answered; its schema.yaml closes the Open Inference Protocol, so tritonclient was not used"
NAMED = (
    "features: [{name: length, tensor: X}, {name: width, tensor: X}, {name: petal, tensor: X}, {name: x, tensor: X}]\n"
)
GOLDEN = [{"case": f"row {n}", "request": {"index": n}, "status": 200} for n in range(5)]


def check(pod: Pod, wanted: dict[str, Any], stable: Pod | None = None, **variables: str) -> tuple[int, str]:
    """Run it against a pod; returns the exit code and its last words."""
    environment = pod.environment | variables
    environment["VIRIDIAN_CANDIDATE_URL"] = f"http://127.0.0.1:{pod.ports['HTTP_PORT']}"
    environment["VIRIDIAN_CHECK"] = json.dumps(wanted)
    environment["VIRIDIAN_TERMINATION_LOG"] = str(pod.directory / "check-log")
    if stable is not None:
        environment["VIRIDIAN_STABLE_URL"] = f"http://127.0.0.1:{stable.ports['HTTP_PORT']}"
    ended = subprocess.run(
        [sys.executable, "-m", "viridian_serving.commands.check"], env=environment, check=False, timeout=120
    )
    return ended.returncode, (pod.directory / "check-log").read_text().strip()


def write_golden(pod: Pod, *more: dict[str, Any]) -> None:
    """Write what the model answers into its folder, and more."""
    answers = [line | {"answer": {"prediction": pod.predict(line["request"]).json["prediction"]}} for line in GOLDEN]
    lines = "\n".join(json.dumps(line) for line in (*answers, *more))
    (pod.model_directory / "golden.jsonl").write_text(lines + "\n")


def test_each_check_passes_and_fails(pod: Callable[..., Pod]) -> None:
    served = pod(models.lookup)
    sample = served.get("/schema").json["example"]
    feature = next(iter(sample))
    for line in GOLDEN:
        line["request"] = {feature: line["request"].get("index", 0)} if "index" in line["request"] else line["request"]
    before = served.counts()

    # smoke
    assert check(served, {"check": "smoke"}) == (PASSED, ANSWERED)
    assert check(served, {"check": "smoke"}, stable=served)[1].endswith("takes all that stable's takes")

    # golden: nothing to compare with, then as expected, then not
    code, words = check(served, {"check": "golden", "golden": {"from": "Model"}})
    assert code == CANNOT_RUN
    assert words.startswith("spec.checks.golden: there is no golden.jsonl beside the model")
    write_golden(served)
    asked = {"check": "golden", "golden": {"from": "Model"}}
    assert check(served, asked) == (PASSED, "5 of 5 answers are as expected")
    write_golden(
        served, {"case": "a lie", "request": GOLDEN[0]["request"], "status": 200, "answer": {"prediction": -7}}
    )
    code, words = check(served, asked)
    assert code == CHECK_FAILED
    assert words.startswith("5 of 6 answers are as expected, and all must be: a lie: prediction is")
    assert check(served, {"check": "golden", "golden": {"from": "Model", "minAgreement": "80%"}})[0] == PASSED

    # load: an objective that holds, one that cannot, and stable beside it
    write_golden(served)
    code, words = check(served, {"check": "load", "load": {"requests": 60, "rate": 30, "p99": "10s"}}, stable=served)
    assert code == PASSED, words
    assert "30 requests a second: p50" in words
    assert "highest rate that keeps it" in words
    code, words = check(served, {"check": "load", "load": {"requests": 60, "rate": 60, "p99": "1ms"}})
    assert code == CHECK_FAILED
    assert "above 1 ms" in words
    compared = {"requests": 30, "rate": 30, "comparedWithStable": "1000"}
    assert "; stable's p99 is" in check(served, {"check": "load", "load": compared}, stable=served)[1]

    # and none of it counts as a user's
    assert {via for via, _ in served.since(before)} == {"check", "direct"}
    assert sum(count for (via, _), count in served.since(before).items() if via == "direct") == len(GOLDEN) * 3


@pytest.mark.parametrize("model", [models.iris, models.mixed, models.one_instance, models.image])
def test_clients_of_the_inference_protocol_get_what_those_of_predict_get(
    pod: Callable[..., Pod], tmp_path_factory: pytest.TempPathFactory, model: Callable[[Path], Path]
) -> None:
    # given a pod that logs every prediction of a user
    served = pod(model, **settings_file(tmp_path_factory.mktemp("live"), log={}))
    before = served.counts()
    # when
    assert check(served, {"check": "smoke"}) == (PASSED, ANSWERED)
    # then no user has asked anything, neither to the guards nor in the log
    assert served.since(before) == {("check", "ok"): 3}  # twice /predict, once /v2/models/m/infer
    assert served.predict(served.get("/schema").json["example"]).status == 200
    eventually(lambda: log_lines(served), served.log)
    assert [record["via"] for record in log_lines(served)] == ["direct"]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("answer: {withhold: [total]}", CLOSED),
        ("raw: true", ANSWERED),
        ("raw: false", CLOSED),
    ],
)
def test_a_model_with_a_schema_is_asked_by_tritonclient_only_where_it_opens_the_protocol(
    pod: Callable[..., Pod], policy: str, words: str
) -> None:
    # given inputs of every kind, columns and nulls among them
    schema = models.CUSTOMERS.replace("answer: {withhold: [total]}", policy)

    def customers(folder: Path) -> None:
        models.customers(folder, schema)
        (folder / "sample.json").write_text(json.dumps(models.CUSTOMER))

    # when, then
    assert check(pod(customers), {"check": "smoke"}) == (PASSED, words)


def test_files_that_changed_since_the_pod_started_are_found(pod: Callable[..., Pod]) -> None:
    # given a schema.yaml at the model's address that is not the one with which the pod has started
    served = pod(lambda folder: (models.iris(folder), (folder / "schema.yaml").write_text(NAMED)))
    (served.model_directory / "schema.yaml").write_text(NAMED.replace("width", "breadth"))
    # when
    code, words = check(served, {"check": "smoke"})
    # then
    assert code == CANNOT_RUN
    assert words.startswith(
        "spec.model.uri: with the files that are there now, the model's inputs are not those of /schema"
    )


def test_what_stable_says_that_it_takes_is_asked_of_the_candidate(
    pod: Callable[..., Pod], tmp_path_factory: pytest.TempPathFactory
) -> None:
    # given a candidate that fails for the example of stable's schema, which its own does not have
    def larger(directory: Path) -> None:
        models.lookup(directory, size=100)
        (directory / "schema.yaml").write_text("features: [{name: i, example: 50}]\n")

    candidate = pod(models.lookup)
    with running_pod(tmp_path_factory.mktemp("stable"), larger) as stable:
        # when
        code, words = check(candidate, {"check": "smoke"}, stable=stable)
    # then
    assert code == CHECK_FAILED
    assert words.startswith("stable's example is answered with status 5")


def test_golden_requests_of_stable_are_asked_of_the_candidate_and_shown_to_nobody_else(
    pod: Callable[..., Pod], tmp_path_factory: pytest.TempPathFactory
) -> None:
    # given a stable whose golden requests the candidate fails for in part
    candidate = pod(models.lookup)
    with running_pod(tmp_path_factory.mktemp("stable"), lambda folder: models.lookup(folder, size=100)) as stable:
        (stable.model_directory / "golden.jsonl").write_text(
            "".join(json.dumps({"case": f"row {i}", "request": {"i": i}, "status": 200}) + "\n" for i in (3, 50))
        )
        # when
        code, words = check(candidate, {"check": "smoke"}, stable=stable)
        # then that is found
        assert code == CHECK_FAILED
        assert words.startswith("stable's row 50 is answered with status 5")
        # and only a check may read them, on the port that believes so
        asked = {"headers": {"Viridian-Via": "check"}}
        assert stable.request("GET", "/golden.jsonl", **asked).status == 200
        assert stable.get("/golden.jsonl").status == 404
        assert stable.request("GET", "/golden.jsonl", headers={"Viridian-Via": "split"}).status == 404
        assert stable.request("GET", "/golden.jsonl", port="FALLBACK_PORT", **asked).status == 404


def test_what_users_asked_is_asked_again(
    pod: Callable[..., Pod], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # given what a version that served has logged, in a bucket
    logging = settings_file(tmp_path_factory.mktemp("live"), log={})
    with running_pod(tmp_path_factory.mktemp("stable"), models.lookup, **logging) as stable:
        for i in range(10):
            assert stable.predict({"i": i}).status == 200
        eventually(lambda: len(log_lines(stable)) == 10, stable.log)
        records = "\n".join(json.dumps(record) for record in log_lines(stable))
    candidate = pod(models.wrong)
    with s3_place(tmp_path / "s3") as place:
        place.put("2026-11-30/part.jsonl", records.encode())
        asked = {"uri": place.base, "last": "1h", "max": 100, "store": {"endpoint": place.server.url}}

        def replayed(**changes: object) -> tuple[int, str]:
            wanted = {"check": "replay", "replay": {**asked, **changes}}
            keys = {name: candidate.environ.get(name, value) for name, value in place.good.items()}
            candidate.environ = {**candidate.environ, **keys, "NO_PROXY": "*"}
            return check(candidate, wanted)

        # when a candidate that answers three of ten otherwise is asked the same, then that is told
        code, words = replayed()
        assert code == PASSED
        assert words.startswith("agreed on 70.0% of 10 logged requests of the last 1h: ")
        assert "prediction is 90.0 and not 70.0" in words
        # and decides, where a share is asked for
        assert replayed(minAgreement="70%")[0] == PASSED
        code, words = replayed(minAgreement="90%")
        assert code == CHECK_FAILED
        assert words.startswith("agreed on 70.0% of 10 logged requests of the last 1h, and must on 90%: ")
        # and a log that has nothing, or cannot be read, blames nobody
        code, words = replayed(uri=f"{place.base}other/", minAgreement="90%")
        assert code == CANNOT_RUN
        assert words.startswith("spec.checks.replay: ")
        (candidate.environ["AWS_SECRET_ACCESS_KEY"], kept) = ("wrong", candidate.environ["AWS_SECRET_ACCESS_KEY"])
        code, words = check(candidate, {"check": "replay", "replay": asked})
        assert code == CANNOT_RUN
        assert words.startswith("spec.checks.replay.credentialsSecretRef: ")
        assert kept not in words


def test_a_candidate_that_is_not_there_is_not_blamed(tmp_path: Path) -> None:
    absent = Pod.create(tmp_path)
    models.lookup(absent.model_directory)
    code, words = check(absent, {"check": "smoke"})
    assert code == CANNOT_RUN
    assert words.startswith("no answer came:")
    assert words.endswith("look at the candidate's pods")


def test_an_api_key_is_taken_from_the_secret(pod: Callable[..., Pod], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "shop").write_text("0123456789abcdef0123456789abcdef\n")
    served = pod(models.lookup, API_KEYS_DIR=str(keys))
    assert check(served, {"check": "smoke"})[0] == PASSED
    empty = tmp_path / "empty"
    empty.mkdir()
    code, words = check(served, {"check": "smoke"}, VIRIDIAN_API_KEYS_DIR=str(empty))
    assert (code, words) == (CANNOT_RUN, "spec.serving.apiKeysSecretRef: the Secret has no key")
