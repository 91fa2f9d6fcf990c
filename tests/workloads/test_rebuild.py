"""A revision read back from the Deployment that runs it, when its ControllerRevision is lost."""

from datetime import timedelta
from typing import Any

import pytest

from viridian.api.model import ModelSource
from viridian.api.names import ANNOTATION_INPUT, LABEL_REVISION, Color
from viridian.api.pods.pod_template import PodTemplate
from viridian.api.revision import Revision, RevisionInput
from viridian.api.serving import Serving
from viridian.workloads.deployments import build_deployment
from viridian.workloads.owner import Owner
from viridian.workloads.pod import PodDefaults, build_pod_template
from viridian.workloads.revisions import rebuild_revision

WANTED = RevisionInput(
    model=ModelSource(version="v1.0.0", uri="image:///models/iris/v1"),
    serving=Serving(
        timeout="5s", pod_template=PodTemplate(labels={"team": "ml"}, annotations={"example.com/owner": "fraud"})
    ),
)


def revision() -> Revision:
    defaults = PodDefaults("example.com/serving:1", timedelta(seconds=2))
    return Revision("iris-7", 7, WANTED, build_pod_template("iris", "iris-7", WANTED, defaults))


def deployment() -> dict[str, Any]:
    return build_deployment(Owner("iris", "ml", "uid-1"), Color.GREEN, revision(), 2)


def test_a_deployment_keeps_all_of_its_revision() -> None:
    assert rebuild_revision(deployment()) == revision()


def test_what_others_annotated_is_no_part_of_it() -> None:
    manifest = deployment()
    manifest["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = (
        "2026-01-01T00:00:00Z"
    )
    assert rebuild_revision(manifest) == revision()


def test_pods_that_an_earlier_operator_rendered_are_taken_as_they_are() -> None:
    manifest = deployment()
    del manifest["spec"]["template"]["metadata"]["annotations"]
    found = rebuild_revision(manifest)
    assert found is not None
    assert found.template["metadata"] == {"labels": revision().template["metadata"]["labels"]}


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        ("annotations", ANNOTATION_INPUT, None),
        ("annotations", ANNOTATION_INPUT, "{}"),
        ("annotations", ANNOTATION_INPUT, "nonsense"),
        ("labels", LABEL_REVISION, None),
        ("labels", LABEL_REVISION, "iris"),
    ],
)
def test_nothing_is_made_up_from_a_deployment_that_was_tampered_with(where: str, key: str, value: str | None) -> None:
    manifest = deployment()
    manifest["metadata"][where].pop(key)
    if value is not None:
        manifest["metadata"][where][key] = value
    assert rebuild_revision(manifest) is None
