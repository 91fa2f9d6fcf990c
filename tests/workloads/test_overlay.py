"""What a child becomes when it is changed."""

from copy import deepcopy
from typing import Any

from tests.controller.fakes import spec
from tests.workloads.children import OWNER, revision_of

from viridian.api.names import ANNOTATION_ABORTED, ANNOTATION_EPOCH, Color
from viridian.workloads.deployments import build_deployment
from viridian.workloads.overlay import overlay
from viridian.workloads.owner import stamp
from viridian.workloads.services import build_stable_service


def live(manifest: dict[str, Any]) -> dict[str, Any]:
    """The child as it is stored, with what others have added to it."""
    stored = deepcopy(manifest)
    stored["metadata"] |= {"uid": "1", "resourceVersion": "41"}
    stored["metadata"].setdefault("annotations", {})["example.com/note"] = "theirs"
    stored["metadata"]["labels"]["team"] = "ml"
    stored["status"] = {"seen": True}
    return stored


def test_marks_of_others_stay_and_the_write_is_over_what_was_read() -> None:
    # given a Service NAME that others have marked
    there = live(build_stable_service(OWNER, Color.BLUE))

    # when it is pointed to green
    written = overlay(there, build_stable_service(OWNER, Color.GREEN))

    # then their marks, the version and the UID are as they were read
    assert written["metadata"] == there["metadata"]
    assert written["spec"]["selector"]["viridian.dev/color"] == "green"


def test_a_mark_of_our_own_that_is_not_wanted_any_more_goes() -> None:
    # given a Service NAME that was rolled back from a revision
    there = live(stamp(build_stable_service(OWNER, Color.BLUE, "iris-2"), "1-a"))

    # when it follows the next one
    written = overlay(there, build_stable_service(OWNER, Color.GREEN))

    # then the revision before is not called aborted any more, and the mark of the term stays until another is written
    assert ANNOTATION_ABORTED not in written["metadata"]["annotations"]
    assert written["metadata"]["annotations"][ANNOTATION_EPOCH] == "1-a"
    again = overlay(there, stamp(build_stable_service(OWNER, Color.GREEN), "2-a"))
    assert again["metadata"]["annotations"][ANNOTATION_EPOCH] == "2-a"


def test_what_the_api_server_gave_to_a_service_is_kept() -> None:
    there = live(build_stable_service(OWNER, Color.BLUE))
    there["spec"] |= {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"], "sessionAffinity": "ClientIP"}
    written = overlay(there, build_stable_service(OWNER, Color.GREEN))
    assert (written["spec"]["clusterIP"], written["spec"]["clusterIPs"]) == ("10.96.0.7", ["10.96.0.7"])
    assert "sessionAffinity" not in written["spec"]


RESTART = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}


def test_a_restart_by_kubectl_is_not_undone_by_scaling() -> None:
    # given a Deployment whose pods somebody has restarted
    wanted = build_deployment(OWNER, Color.BLUE, revision_of(spec()), 3)
    there = live(build_deployment(OWNER, Color.BLUE, revision_of(spec()), 2))
    there["spec"]["template"]["metadata"]["annotations"] |= RESTART

    # when it is scaled
    written = overlay(there, wanted)

    # then its pods stay
    assert written["spec"]["template"] == there["spec"]["template"]
    assert written["spec"]["replicas"] == 3


def test_another_revision_begins_without_the_annotations_of_the_one_before_it() -> None:
    # given a color whose revision had an annotation of its user's, and whose pods somebody has restarted
    noted = spec(serving={"podTemplate": {"annotations": {"example.com/owner": "fraud"}}})
    there = live(build_deployment(OWNER, Color.BLUE, revision_of(noted), 0))
    there["spec"]["template"]["metadata"]["annotations"] |= RESTART

    # when it gets the next revision, which asks for none
    following = revision_of(spec(), number=3)
    written = overlay(there, build_deployment(OWNER, Color.BLUE, following, 2))

    # then the pods are as they were rendered
    assert written["spec"]["template"]["metadata"]["annotations"] == following.template["metadata"]["annotations"]


def test_nothing_that_was_given_is_changed() -> None:
    there, wanted = live(build_stable_service(OWNER, Color.BLUE)), build_stable_service(OWNER, Color.GREEN)
    before = deepcopy((there, wanted))
    overlay(there, stamp(wanted, "2-a"))
    assert (there, wanted) == before
