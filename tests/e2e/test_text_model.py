"""A text pipeline as laptops export it, with the locale en_US.UTF-8, by what is in the serving image."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.component.harness.binaries import REPOSITORY, interpreter
from tests.component.harness.loopback import open_url
from tests.e2e.harness.docker import docker
from tests.e2e.harness.environment import Environment
from tests.waiting import eventually

LOCALES = "/usr/lib/locale"
TRAIN = """
import joblib
import pandas
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

good = ["schöne Größe", "SCHÖNE GRÖSSE, gerne wieder", "Über alles gut", "très élégant", "ÉLÉGANT et bon"]
bad = ["großer Ärger", "ÄRGER mit der Lieferung", "übel", "ÜBEL, nie wieder", "déçu"]
table = pandas.DataFrame({"review": (good + bad) * 20, "label": (["good"] * 5 + ["bad"] * 5) * 20})
joblib.dump(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(table.review, table.label), "reviews.joblib")
table.to_csv("train.csv", index=False)
"""


@pytest.fixture
def version(environment: Environment, tmp_path: Path, container: str) -> Path:
    """A version that was imported on a machine which has the image's locale, as most laptops have."""
    docker("create", "--name", container, environment.image)
    docker("cp", f"{container}:{LOCALES}", str(tmp_path / "locale"))
    docker("rm", container)
    sources = os.pathsep.join(str(REPOSITORY / folder) for folder in ("operator", "serving-image"))
    variables = {**os.environ, "PYTHONPATH": sources, "LOCPATH": str(tmp_path / "locale")}
    folder = tmp_path / "reviews" / "v1"
    importing = ["import", "reviews.joblib", "--sample", "train.csv", "--target", "label", "--trusted", "--no-check"]
    for command in (["-c", TRAIN], ["-m", "viridian_import.commands.main", *importing, "--out", str(folder)]):
        python = interpreter("requirements/importing.txt")
        done = subprocess.run([python, *command], cwd=tmp_path, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert b"en_US.UTF-8" in (folder / "model.onnx").read_bytes()
    for path in (folder.parent, folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def golden(folder: Path) -> list[dict[str, Any]]:
    requests = [json.loads(line) for line in (folder / "golden.jsonl").read_text().splitlines()]
    return [each for each in requests if each["status"] == 200]


def test_the_image_has_the_locale_that_text_pipelines_are_exported_with(
    environment: Environment, version: Path, container: str
) -> None:
    # when the version is served by the image alone
    docker(
        *("run", "--detach", "--name", container, "--publish", "127.0.0.1::8000", "--read-only"),
        *("--tmpfs", "/tmp:mode=1777", "--volume", f"{version}:/reviews/v1:ro"),  # noqa: S108  in there
        *(environment.image, "viridian-serve", "/reviews/v1"),
    )
    eventually(lambda: "Ctrl-C ends it." in docker("logs", container), "the model to be ready")
    url = f"http://{docker('port', container, '8000/tcp').strip()}/predict"

    # then texts are answered as scikit-learn answered them, whatever the case of their umlauts
    asked = golden(version)
    assert any("Ä" in each["request"]["review"] for each in asked)
    for each in asked:
        with open_url(urllib.request.Request(url, json.dumps(each["request"]).encode()), timeout=30) as response:
            answer = json.load(response)
        assert answer["prediction"] == each["answer"]["prediction"], each
        assert answer["probabilities"] == pytest.approx(each["answer"]["probabilities"], abs=1e-4), each


def test_without_that_locale_the_model_is_refused_with_both_ways_out(
    environment: Environment, version: Path, container: str
) -> None:
    mounted = ("--tmpfs", LOCALES, "--volume", f"{version}:/reviews/v1:ro")
    done = subprocess.run(
        ["docker", "run", "--name", container, *mounted, environment.image, "viridian-serve", "/reviews/v1"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "compares words by the rules of the locale en_US.UTF-8, which this machine does not have" in done.stderr
    assert "the serving image has en_US.UTF-8" in done.stderr
