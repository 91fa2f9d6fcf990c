"""What the page remembers and shows of a model, over rollouts that the operator's core has played."""

import itertools
from datetime import UTC, datetime, timedelta

from tests.cli.test_verdict import ask_for, at_stable, promoted
from tests.cli.worlds import printed

from viridian.api.status import Phase
from viridian.cli.dashboard.record import Record
from viridian.cli.dashboard.view import detail, row
from viridian.cli.model import Model

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def recorded(models: list[Model]) -> Record:
    record = Record()
    for second, model in enumerate(models):
        record.observe(model, BEGIN + timedelta(seconds=second))
    return record


def test_a_line_has_a_point_for_each_change_and_none_between() -> None:
    # given a rollout from its start to its promotion
    world = at_stable()
    promoted(world)

    # when every state is seen twice
    record = recorded([model for model in world.models for _ in range(2)])

    # then the weights climb by the steps, and no two points in a row say the same
    weights = [(each.get("blue"), each.get("green")) for each in record.weights]
    assert all(before != after for before, after in itertools.pairwise(weights))
    assert weights[-1] == (None, 100) or weights[-1] == (100, None)
    assert [each["at"] for each in record.weights] == sorted(each["at"] for each in record.weights)


def test_guards_of_one_name_have_a_line_each_that_ends_with_the_rollout() -> None:
    # given a model whose two guards of the error rate speak, and then do not any more
    guards = [
        {"name": "errorRate", "kind": kind, "verdict": "Healthy", "evidence": evidence, "threshold": "200"}
        for kind, evidence in (("absolute", "0.5"), ("relative", "3"))
    ]
    rest = printed(at_stable())
    judged = Model({**rest.manifest, "status": {**rest.status, "guards": guards}})

    # when
    evidence = recorded([judged, judged, rest]).evidence

    # then
    points = {name: [(each["evidence"], each["threshold"]) for each in line] for name, line in evidence.items()}
    assert points == {
        "errorRate (absolute)": [(0.5, 200.0), (None, None)],
        "errorRate (relative)": [(3.0, 200.0), (None, None)],
    }


def test_a_model_offers_the_actions_that_the_operator_would_obey() -> None:
    # given a model at rest, and one in a rollout
    resting = at_stable()
    rolling = at_stable()
    ask_for(rolling)
    rolling.until(Phase.PROGRESSING)

    # when
    offered = detail(printed(rolling), Record())["actions"]

    # then
    assert detail(printed(resting), Record())["actions"] == ["rollback"]
    assert offered == ["promote", "pause", "abort", "rollback"]
    assert row(printed(rolling))["tone"] == "busy"
    assert row(printed(resting))["tone"] == "good"
