"""Patches of the live route, applied by a real implementation of JSON Patch."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.traffic.routes import MODEL, TRAFFIC, live_route, sent, weights, weights_of

from viridian.api.names import ANNOTATION_ABORTED, ANNOTATION_EPOCH, ANNOTATION_SEQ, Color
from viridian.api.traffic import Traffic
from viridian.traffic.patch import live_weights, patch_epoch, patch_traffic, patch_weights
from viridian.traffic.route import build_route_spec, read_route

Change = Callable[[dict[str, Any]], object]


@given(st.integers(0, 100), st.integers(0, 100))
def test_one_patch_moves_all_rules_and_nothing_else(before: int, after: int) -> None:
    # given a live route with two rules
    route = live_route(before)

    # when it is patched to other weights
    moved = sent(patch_weights(MODEL, read_route(MODEL, route), weights(after), weights(after), aborted=None), route)

    # then all rules have them, the sequence number is one more, and all else is as it was
    assert weights_of(moved) == [weights(after)] * 2
    assert moved["metadata"]["annotations"].pop(ANNOTATION_SEQ) == "2"
    expected = live_route(after)
    del expected["metadata"]["annotations"][ANNOTATION_SEQ]
    assert moved == expected


def test_backends_in_another_order_get_their_own_weights() -> None:
    # given a rule whose backends somebody has swapped
    route = live_route(90)
    route["spec"]["rules"][1]["backendRefs"].reverse()

    # when
    moved = sent(patch_weights(MODEL, read_route(MODEL, route), weights(100), weights(100), aborted=None), route)

    # then
    assert weights_of(moved) == [weights(100)] * 2


def test_a_weight_that_was_left_out_is_written() -> None:
    route = live_route(90)
    del route["spec"]["rules"][0]["backendRefs"][1]["weight"]
    moved = sent(patch_weights(MODEL, read_route(MODEL, route), weights(100), weights(100), aborted=None), route)
    assert weights_of(moved) == [weights(100)] * 2


@pytest.mark.parametrize(
    ("marked", "aborted", "then"),
    [
        (None, None, None),
        (None, "iris-2", "iris-2"),
        ("iris-2", "iris-3", "iris-3"),
        ("iris-2", None, None),
    ],
)
def test_the_mark_of_a_rollback(marked: str | None, aborted: str | None, then: str | None) -> None:
    # given a route that an earlier rollback may have marked
    route = live_route()
    if marked is not None:
        route["metadata"]["annotations"][ANNOTATION_ABORTED] = marked

    # when
    moved = sent(patch_weights(MODEL, read_route(MODEL, route), weights(100), weights(100), aborted=aborted), route)

    # then the mark is set, or gone, or another
    assert moved["metadata"]["annotations"].get(ANNOTATION_ABORTED) == then
    assert read_route(MODEL, moved).aborted == then


def bump_seq(route: dict[str, Any]) -> None:
    route["metadata"]["annotations"][ANNOTATION_SEQ] = "2"


def lose_seq(route: dict[str, Any]) -> None:
    del route["metadata"]["annotations"][ANNOTATION_SEQ]


def lose_annotations(route: dict[str, Any]) -> None:
    del route["metadata"]["annotations"]


def make_anew(route: dict[str, Any]) -> None:
    route["metadata"]["uid"] = "route-2"


def rename_in_second_rule(route: dict[str, Any]) -> None:
    route["spec"]["rules"][1]["backendRefs"][1]["name"] = "other"


def swap_in_second_rule(route: dict[str, Any]) -> None:
    route["spec"]["rules"][1]["backendRefs"].reverse()


def lose_second_rule(route: dict[str, Any]) -> None:
    del route["spec"]["rules"][1]


@pytest.mark.parametrize(
    "change",
    [bump_seq, lose_seq, lose_annotations, make_anew, rename_in_second_rule, swap_in_second_rule, lose_second_rule],
)
def test_what_changed_since_it_was_read_is_left_alone(change: Change) -> None:
    # given a route that was read, and then changed
    route = live_route()
    patch = patch_weights(MODEL, read_route(MODEL, route), weights(100), weights(100), aborted="iris-2")
    change(route)
    before = deepcopy(route)

    # when the late patch arrives, then it is refused as a whole
    with pytest.raises((jsonpatch.JsonPatchException, jsonpatch.JsonPointerException)):
        sent(patch, route)
    assert route == before


def test_a_patch_lands_only_once() -> None:
    route = live_route()
    patch = patch_weights(MODEL, read_route(MODEL, route), weights(100), weights(100), aborted=None)
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        sent(patch, sent(patch, route))


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        (lose_seq, "1"),
        (lose_annotations, "1"),
        (lambda route: route["metadata"]["annotations"].update({ANNOTATION_SEQ: "x"}), "1"),
    ],
    ids=["no number", "no annotations", "no number but a word"],
)
def test_a_lost_sequence_number_holds_up_no_rollback(change: Change, seq: str) -> None:
    # given a route from which somebody took our number
    route = live_route()
    change(route)
    read = read_route(MODEL, route)

    # when it is rolled back
    patch = patch_weights(MODEL, read, weights(100), weights(100), aborted="iris-2")
    moved = sent(patch, route)

    # then it is numbered again
    assert weights_of(moved) == [weights(100)] * 2
    assert moved["metadata"]["annotations"].items() >= {ANNOTATION_SEQ: seq, ANNOTATION_ABORTED: "iris-2"}.items()

    # and a write that came in between is not written over
    route["metadata"] |= {"resourceVersion": "42"}
    if read.seq is None:
        with pytest.raises(jsonpatch.JsonPatchTestFailed):
            sent(patch, route)


def no_backends(rule: dict[str, Any]) -> None:
    del rule["backendRefs"]


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda rule: rule["backendRefs"].pop(0), id="stable is missing"),
        pytest.param(lambda rule: rule["backendRefs"].pop(1), id="the candidate is missing"),
        pytest.param(lambda rule: rule["backendRefs"].clear(), id="none is there"),
        pytest.param(no_backends, id="no list either"),
        pytest.param(
            lambda rule: rule["backendRefs"].insert(0, {"name": "other", "port": 80}), id="a stranger is first"
        ),
        pytest.param(lambda rule: rule["backendRefs"].append({"name": "other", "port": 80}), id="a stranger is last"),
        pytest.param(lambda rule: rule["backendRefs"].append({**rule["backendRefs"][0]}), id="one is there twice"),
    ],
)
def test_a_rule_that_somebody_edited_is_put_right(edit: Change) -> None:
    # given a route with a rule that does not hold just our two colors
    route = live_route()
    edit(route["spec"]["rules"][0])

    # when all traffic goes to one color
    patch = patch_weights(MODEL, read_route(MODEL, route), weights(100), weights(100), aborted="iris-2")
    moved = sent(patch, route)

    # then no rule is left with zeros only, or with a share for strangers
    assert weights_of(moved) == [weights(100)] * 2
    assert read_route(MODEL, moved).gives(weights(100), weights(100))


def test_a_rule_that_is_just_being_edited_is_left_alone() -> None:
    # given a rule with a stranger in it, which was read, and then got another one
    route = live_route()
    route["spec"]["rules"][0]["backendRefs"].append({"name": "other", "port": 80})
    patch = patch_weights(MODEL, read_route(MODEL, deepcopy(route)), weights(100), weights(100), aborted=None)
    route["spec"]["rules"][0]["backendRefs"].append({"name": "another", "port": 80})

    # then it is read again first
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        sent(patch, route)


@pytest.mark.parametrize(
    "wrong",
    [
        {Color.BLUE: 0, Color.GREEN: 0},
        {Color.BLUE: 50, Color.GREEN: 51},
        {Color.BLUE: 101, Color.GREEN: -1},
        {Color.BLUE: 100},
        {},
    ],
    ids=str,
)
def test_weights_that_do_not_sum_to_100_are_never_written(wrong: dict[Color, int]) -> None:
    with pytest.raises(ValueError, match="sum to 100"):
        patch_weights(MODEL, read_route(MODEL, live_route()), wrong, wrong, aborted=None)
    with pytest.raises(ValueError, match="sum to 100"):
        build_route_spec(MODEL, TRAFFIC, "30s", wrong, wrong)


@pytest.mark.parametrize(
    "edited",
    [
        {"parentRefs": [{"name": "public"}, {"name": "internal", "namespace": "gateways", "sectionName": "https"}]},
        {"parentRefs": [{"name": "public"}], "hostnames": ["b.example.com"], "path": "/other"},
        {"parentRefs": [{"name": "public"}], "path": "/"},
    ],
    ids=["another gateway", "another host and path", "no host any more"],
)
def test_an_edited_spec_moves_no_weight(edited: dict[str, Any]) -> None:
    # given a live route in the middle of a rollout, marked by an earlier rollback, and a spec that was edited
    route = live_route(75)
    route["metadata"]["annotations"][ANNOTATION_ABORTED] = "iris-1"
    read = read_route(MODEL, route)
    wanted = build_route_spec(MODEL, Traffic.model_validate(edited), "5s", live_weights(read), live_weights(read))

    # when the route follows
    moved = sent(patch_traffic(read, wanted, aborted=read.aborted), route)

    # then it is what the spec asks for, with the weights and the mark that it had
    assert {"hostnames": [], **moved["spec"]} == {"hostnames": [], **wanted}
    assert weights_of(moved) == [weights(75)]
    assert read_route(MODEL, moved).aborted == "iris-1"
    assert read_route(MODEL, moved).seq == "2"

    # and it comes only once
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        sent(patch_traffic(read, wanted, aborted=read.aborted), moved)


@given(st.integers(0, 100), st.booleans())
def test_the_last_rule_gets_the_split_and_those_before_it_the_pins(blue: int, stable_pinned: bool) -> None:
    pins = weights(100 if stable_pinned else 0)
    moved = sent(patch_weights(MODEL, read_route(MODEL, live_route()), weights(blue), pins, aborted=None), live_route())
    assert weights_of(moved) == [pins, weights(blue)]


def test_a_rollback_removes_mirrors_and_a_step_leaves_them() -> None:
    # given a route in which somebody mirrors requests to the candidate
    route = live_route(90)
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "iris-green", "port": 8000}}}
    route["spec"]["rules"][1]["filters"].append(mirror)
    read = read_route(MODEL, route)

    # when it is rolled back, or moved on
    back = sent(patch_weights(MODEL, read, weights(100), weights(100), aborted="iris-2"), deepcopy(route))
    on = sent(patch_weights(MODEL, read, weights(50), weights(50), aborted=None), deepcopy(route))

    # then the rollback alone takes the mirror out, and nothing else of the filters
    assert back["spec"]["rules"][1]["filters"] == live_route(90)["spec"]["rules"][1]["filters"]
    assert mirror in on["spec"]["rules"][1]["filters"]


@pytest.mark.parametrize("aborted", [None, "iris-2"])
def test_a_fence_changes_the_marks_alone_and_what_was_read_before_does_not_land_any_more(aborted: str | None) -> None:
    # given a route, and a patch that somebody has made of it and not yet sent
    route = live_route(90)
    if aborted is not None:
        route["metadata"]["annotations"][ANNOTATION_ABORTED] = aborted
    late = patch_weights(MODEL, read_route(MODEL, route), weights(50), weights(50), aborted=None)

    # when a new leader fences it
    fenced = sent(patch_epoch(read_route(MODEL, route), "2-0123"), route)

    # then nothing but sequence number and epoch is different
    marks = {**route["metadata"]["annotations"], ANNOTATION_SEQ: "2", ANNOTATION_EPOCH: "2-0123"}
    assert fenced == {**route, "metadata": {**route["metadata"], "annotations": marks}}
    # and the late patch fails whole
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        sent(late, fenced)
