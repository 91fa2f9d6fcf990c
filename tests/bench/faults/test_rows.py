"""The figures of the fault table."""

from examples.demo.records import Answer

from .rows import Period, Row, count, table


def answer(at: float, version: str = "v1", failure: str = "") -> Answer:
    return Answer(at, 0.5, 200, f"digits-{version}", version, failure, None if failure else True)


def test_a_failing_candidates_own_errors_are_counted_apart() -> None:
    # given answers of stable, errors of the candidate's model, and two requests that nobody answered
    answers = [
        answer(1.0),
        answer(2.0, "v3", "HTTP 500"),
        answer(3.0, "", "HTTP 503"),
        answer(7.0, "", "HTTP 503"),
    ]

    # when they are counted
    counted = count(answers, failing_version="v3")

    # then only the two are held against the fault
    assert counted == {
        "requests": 4,
        "requests_failed": 2,
        "requests_failed_by_candidate": 1,
        "requests_failed_beyond": 2,
        "failures": {"HTTP 503": 2},
        "failing_seconds": 4.5,
    }


def test_every_failure_counts_where_no_version_is_meant_to_fail() -> None:
    assert count([answer(2.0, "v2", "HTTP 500")], failing_version="")["requests_failed"] == 1


def test_failures_in_a_period_that_allows_them_are_not_held_against_the_fault() -> None:
    # given pods that vanish at 10.0, and five seconds in which the weights have to follow
    allowed = [Period(10.0, 15.0)]
    early = answer(8.0, failure="HTTP 503")
    in_flight = answer(9.8, failure="connection lost")
    meanwhile = answer(12.0, failure="HTTP 503")
    late = answer(15.2, failure="HTTP 503")

    # when failures before, during and after that are counted
    counted = count([early, in_flight, meanwhile, late], "", allowed)

    # then all are counted, and two of them are beyond what is allowed
    assert (counted["requests_failed"], counted["requests_failed_beyond"]) == (4, 2)


def row(ended_as: str = "Stable v2", failed: int = 0, *, spared: bool = True) -> Row:
    return Row("Prometheus stopped", 900, failed, ended_as, "Stable v2", spared, requests_failed_beyond=failed)


def test_a_row_is_as_expected_if_it_ended_so_and_cost_nothing_that_was_promised() -> None:
    assert row().is_as_expected
    assert row(failed=3, spared=False).is_as_expected
    assert not row(failed=3).is_as_expected
    assert not row("Expired v1", spared=False).is_as_expected


def test_the_table_says_what_was_expected_where_it_was_not_so() -> None:
    shown = table([row(), row("Expired v1"), row(failed=3)])
    assert "| Stable v2 " in shown
    assert "Expired v1 **(expected: Stable v2)**" in shown
    assert "Stable v2 **(3 failed when none may)**" in shown
    assert len({len(line) for line in shown.splitlines()}) == 1
