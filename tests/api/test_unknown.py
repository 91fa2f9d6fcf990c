"""Fields that the API server dropped without a word."""

import json

import pytest

from viridian.api.unknown import LAST_APPLIED, unknown_fields

SPEC = {"model": {"version": "v1", "uri": "image:///m"}, "traffic": {"parentRefs": [{"name": "public"}]}}


def applied(**changes: object) -> dict[str, str]:
    return {LAST_APPLIED: json.dumps({"spec": {**SPEC, **changes}})}


@pytest.mark.parametrize(
    ("annotations", "paths"),
    [
        ({}, []),
        (applied(), []),
        (applied(replicas=3), ["spec.replicas"]),
        (applied(serving={"replica": 3, "triton": {"gpu": 1}}), ["spec.serving.triton.gpu", "spec.serving.replica"]),
        (applied(rollout={"steps": [{"weight": 5, "hold": "1m", "pause": "2m"}]}), ["spec.rollout.steps.0.pause"]),
        # What is wrong in another way is refused or told elsewhere.
        (applied(serving={"replicas": "many"}), []),
        ({LAST_APPLIED: "no JSON"}, []),
        ({LAST_APPLIED: "[1]"}, []),
    ],
)
def test_unknown_fields_are_found_in_what_was_applied(annotations: dict[str, str], paths: list[str]) -> None:
    assert sorted(unknown_fields(annotations)) == sorted(paths)
