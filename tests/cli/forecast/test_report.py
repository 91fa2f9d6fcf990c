"""What a forecast says in sentences, and that processors do not matter to it."""

from typing import Any

import pytest
from tests.rollout.world import spec_for

from viridian.cli.forecast import many
from viridian.cli.forecast.behavior import Behavior, Candidate, LogNormal
from viridian.cli.forecast.capacity import Capacity, widest
from viridian.cli.forecast.many import Ending, Forecast, Range, forecast
from viridian.cli.forecast.play import World
from viridian.cli.forecast.power import blind_spot, hold_that_sees, seen_within
from viridian.cli.forecast.report import Plan
from viridian.rollout.reporting.cost import Amount
from viridian_shared.durations import format_duration

STABLE = Behavior(0.01, LogNormal(0.05))
HEALTHY = Candidate("healthy", STABLE)
NEVER, NONE = Ending(0.0, None), Range(0, 0, 0)
LONG = {"steps": [{"weight": 25, "hold": "30m"}], "bake": {"duration": "30m", "holdback": 5}, "deadline": "2h"}


def said(promoted: Ending, expired: Ending = NEVER, rpm: float = 600, **changes: Any) -> str:
    world = World(spec_for(**changes), rpm, STABLE)
    found = Forecast(HEALTHY, promoted, NEVER, expired, NONE, NONE, 0.0)
    return " ".join(Plan("iris", world, (), 100, 0, [found]).notes())


def test_where_there_are_prices_it_says_what_the_second_color_costs() -> None:
    # given rollouts that take half an hour, and ones that are turned back after six minutes
    world = World(spec_for(), 600, STABLE)
    ends = Ending(1.0, Range(900, 1200, 1800)), Ending(1.0, Range(60, 120, 360))
    found = [
        Forecast(HEALTHY, ends[0], NEVER, NEVER, NONE, NONE, 0.0),
        Forecast(HEALTHY, NEVER, ends[1], NEVER, NONE, NONE, 0.0),
    ]
    plan = Plan("iris", world, (), 100, 0, found, Amount(2.0, "EUR"))
    # then it is stable's price for so long
    says = "Stable's pods cost 2.00 EUR an hour. The candidate's cost up to as much on top: "
    assert f"{says}1.00 EUR until it is promoted, 0.2 EUR until it is turned back." in plan.notes()
    assert plan.data()["cost"] == {"perHour": 2.0, "currency": "EUR"}
    # and without prices nothing
    assert "cost" not in said(ends[0])


def test_a_deadline_that_fits_says_how_much_is_left() -> None:
    text = said(Ending(1.0, Range(100, 120, 180)))
    assert "The deadline of 10m fits: a healthy candidate has 7m to spare." in text


@pytest.mark.parametrize("promoted", [NEVER, Ending(0.9, Range(100, 120, 599))])
def test_a_deadline_that_is_too_short_says_so(promoted: Ending) -> None:
    text = said(promoted, Ending(1 - promoted.chance, Range(600, 600, 600)))
    share = "100 %" if promoted is NEVER else "10 %"
    assert f"too short: even a healthy candidate expires in {share} of the rollouts; raise rollout.deadline" in text


@pytest.mark.parametrize(
    ("serving", "capacity"),
    [
        ({"replicas": 3}, Capacity(6, None)),
        (
            {"replicas": 1, **{name: {"resources": {"requests": {"cpu": "250m"}}} for name in ("api", "triton")}},
            Capacity(2, 1.0),
        ),
        (
            {
                "autoscaling": {"minReplicas": 2, "maxReplicas": 5, "cpuPercent": 70},
                "api": {"resources": {"requests": {"cpu": "500m"}}},
                "triton": {"resources": {"limits": {"cpu": "1.5"}}},
            },
            Capacity(10, 20.0),
        ),
    ],
)
def test_the_widest_moment_has_both_versions_in_full(serving: dict[str, Any], capacity: Capacity) -> None:
    assert widest(spec_for(serving=serving)) == capacity


@pytest.mark.parametrize(
    ("times", "rpm", "says"),
    [
        (1.5, 600, "1.5 times stable's errors are accepted (guards.errorRate.worseThanStable: '1.5')."),
        (5.0, 6, "This traffic cannot show 5 times stable's errors within these holds; 5h35m at 25 % would."),
        (2.0, 0.01, "within these holds; nor would a week."),
        (5.0, 600, ""),
    ],
)
def test_what_this_traffic_cannot_show(times: float, rpm: float, says: str) -> None:
    spec = spec_for(rollout=LONG)
    assert blind_spot(spec, rpm, STABLE.errors, times).endswith(says)
    assert (blind_spot(spec, rpm, STABLE.errors, times) == "") == (says == "")


def test_the_hold_that_would_show_it_does() -> None:
    # given holds that are too short, and the one that is said to be long enough
    assert blind_spot(spec_for(rollout=LONG), 6, STABLE.errors, 5.0).endswith("5h35m at 25 % would.")
    steps = [{"weight": 25, "hold": "5h35m"}]
    enough = spec_for(rollout={**LONG, "steps": steps, "deadline": "10h"})
    # then
    assert blind_spot(enough, 6, STABLE.errors, 5.0) == ""
    assert (seen_within(enough, 6, STABLE.errors, 5.0) or 0) >= 1


def test_without_a_gateway_nothing_is_compared() -> None:
    spec = spec_for(traffic={"parentRefs": []}, rollout={"bake": LONG["bake"], "deadline": "2h"})
    assert "Without a gateway nothing is compared" in blind_spot(spec, 600, STABLE.errors, 5.0)


def test_figures_do_not_depend_on_the_number_of_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    world = World(spec_for("v2.0.0"), 600, STABLE, interval=5.0, startup=5.0)
    bad = Candidate("failing", Behavior(0.5, LogNormal(0.05)))
    # when
    monkeypatch.setattr(many, "cpu_count", lambda: 3)
    together = forecast(world, [bad], 60, seed=5)
    monkeypatch.setattr(many, "cpu_count", lambda: 1)
    # then
    assert forecast(world, [bad], 60, seed=5) == together
    assert together[0].turned_back.chance == 1.0
    assert together[0].extra > 0


def test_the_hold_that_was_said_to_show_it_shows_it_to_most_rollouts_that_are_played() -> None:
    # given how long a hold at 50 % has to be
    enough = hold_that_sees(spec_for(), 600, STABLE.errors, 5.0, 50)
    assert enough is not None
    steps = [{"weight": 50, "hold": format_duration(enough)}]
    bake = {"duration": "1s", "holdback": 5}
    # when it is played
    world = World(spec_for(rollout={"steps": steps, "bake": bake, "deadline": "4h"}), 600, STABLE)
    played = forecast(world, [Candidate("5x", Behavior(5 * STABLE.errors, STABLE.latency))], 60, seed=2)[0]
    # then
    assert played.turned_back.chance > 0.5
