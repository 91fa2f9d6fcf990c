"""What a route has pods mirror: how it is told, changed and taken back."""

from copy import deepcopy

import jsonpatch
import pytest
from tests.traffic.routes import MODEL, TRAFFIC, live_route, sent, weights, weights_of

from viridian.traffic.patch import patch_traffic, patch_weights
from viridian.traffic.route import build_route_spec, read_route, shadow_in, traffic_of
from viridian_shared.shadow import Shadow, read_shadow

STABLE = weights(100)
TOLD = "iris-2;share=0.1"


def told(route: dict) -> list[dict]:  # type: ignore[type-arg]
    """Of each rule, the headers that it sets and removes."""
    modifiers = (rule["filters"][0]["requestHeaderModifier"] for rule in route["spec"]["rules"])
    return [{**{each["name"]: each["value"] for each in one["set"]}, "-": one.get("remove")} for one in modifiers]


def shadowed() -> dict:  # type: ignore[type-arg]
    route = live_route(100)
    return sent(patch_weights(MODEL, read_route(MODEL, route), STABLE, STABLE, aborted=None, shadow=TOLD), route)


def test_at_rest_a_clients_own_header_does_not_arrive() -> None:
    assert [rule["-"] for rule in told(live_route(100))] == [["Viridian-Shadow"]] * 2
    assert read_route(MODEL, live_route(100)).shadow is None


def test_one_patch_tells_all_rules_and_leaves_their_weights() -> None:
    route = shadowed()
    assert told(route) == [
        {"Viridian-Via": "pin", "Viridian-Shadow": TOLD, "-": None},
        {"Viridian-Via": "split", "Viridian-Shadow": TOLD, "-": None},
    ]
    assert weights_of(route) == [STABLE] * 2
    read = read_route(MODEL, route)
    assert read.gives(STABLE, STABLE, TOLD)
    assert not read.gives(STABLE, STABLE)
    # and the rest is as the spec has it
    assert read.traffic["rules"][1] == read_route(MODEL, live_route(100)).traffic["rules"][1]


@pytest.mark.parametrize("aborted", [None, "iris-2"])
def test_a_move_without_it_takes_it_back(aborted: str | None) -> None:
    route = shadowed()
    moved = sent(patch_weights(MODEL, read_route(MODEL, route), STABLE, STABLE, aborted=aborted), deepcopy(route))
    expected = live_route(100)
    assert [rule["filters"] for rule in moved["spec"]["rules"]][1] == expected["spec"]["rules"][1]["filters"]
    assert read_route(MODEL, moved).shadow is None


def test_rules_that_say_different_things_are_put_right() -> None:
    route = shadowed()
    route["spec"]["rules"][0]["filters"] = live_route(100)["spec"]["rules"][0]["filters"]
    read = read_route(MODEL, route)
    assert read.shadow == ""
    moved = sent(patch_weights(MODEL, read, STABLE, STABLE, aborted=None, shadow=TOLD), route)
    assert read_route(MODEL, moved).gives(STABLE, STABLE, TOLD)


def test_a_patch_over_other_filters_than_were_read_does_not_land() -> None:
    route = live_route(100)
    read = read_route(MODEL, deepcopy(route))
    late = patch_weights(MODEL, read, STABLE, STABLE, aborted=None, shadow=TOLD)
    route["spec"]["rules"][0]["filters"].append({"type": "RequestMirror"})
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        sent(late, route)


def test_a_rule_without_filters_is_told_all_the_same() -> None:
    route = live_route(100)
    del route["spec"]["rules"][1]["filters"]
    moved = sent(patch_weights(MODEL, read_route(MODEL, route), STABLE, STABLE, aborted=None, shadow=TOLD), route)
    assert told(moved)[1]["Viridian-Via"] == "split"
    assert told(moved)[1]["Viridian-Shadow"] == TOLD


def test_the_route_of_an_earlier_operator_is_not_as_the_spec_has_it() -> None:
    route = live_route(100)
    for rule in route["spec"]["rules"]:
        del rule["filters"][0]["requestHeaderModifier"]["remove"]
    wanted = build_route_spec(MODEL, TRAFFIC, "30s", STABLE, STABLE)
    assert read_route(MODEL, route).traffic["rules"][1]["filters"] != traffic_of(wanted)["rules"][0]["filters"]


def test_an_edited_traffic_keeps_what_is_mirrored() -> None:
    route = shadowed()
    wanted = build_route_spec(MODEL, TRAFFIC, "5s", STABLE, STABLE, TOLD)
    moved = sent(patch_traffic(read_route(MODEL, route), wanted, aborted=None), route)
    assert [shadow_in(rule["filters"]) for rule in moved["spec"]["rules"]] == [TOLD]


@pytest.mark.parametrize(
    ("shadow", "value"),
    [
        (Shadow("iris-2", 0.1), "iris-2;share=0.1"),
        (Shadow("iris-12", 1.0), "iris-12;share=1"),
        (Shadow("a-b-3", 0.00125), "a-b-3;share=0.00125"),
    ],
)
def test_what_is_written_is_read(shadow: Shadow, value: str) -> None:
    assert str(shadow) == value
    assert read_shadow(value) == shadow


@pytest.mark.parametrize(
    "value",
    [
        "",
        "iris-2",
        "iris-2;share=",
        "iris-2;share=0",
        "iris-2;share=1.5",
        "iris-2;share=1e3",
        "I;share=0.1",
        "a b;share=1",
    ],
)
def test_what_is_none_of_ours_is_no_order(value: str) -> None:
    assert read_shadow(value) is None
