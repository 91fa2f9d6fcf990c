"""What is said about predictions, and which of it is a breach: one look at a time."""

import pytest

from viridian.guards import Config, State, Verdict
from viridian.guards.answers.counters import CLASS, CONFIDENCE, NON_FINITE, NUMBER, Answers
from viridian.guards.answers.predictions import (
    NOT_FINITE,
    ONE_CLASS,
    describe,
    furthest,
    judge_predictions,
    leaning,
    weigh_predictions,
)
from viridian.guards.config import CLASS_RATIO, SHIFT
from viridian.guards.counts import Block, Counts
from viridian.guards.evidence.eprocess import EProcess
from viridian.guards.relative import ALTERNATIVES, log_likelihood_ratios
from viridian.guards.state import RelativeState

LIMITS = Config(max_shift=0.1, max_class_ratio=2.0)
NOBODY = Answers()


def labels(**counts: int) -> Answers:
    return Answers({(CLASS, label): number for label, number in counts.items()})


def histogram(name: str, **counts: int) -> Answers:
    """Numbers that were at most 1, and all of them."""
    return Answers({(name, "1"): counts["low"], (name, "inf"): counts["all"]})


# ------------------------------------------------------------------ the report


@pytest.mark.parametrize(
    ("candidate", "stable", "said"),
    [
        pytest.param(
            labels(a=400, b=600),
            labels(a=100, b=900),
            "Predicts `a` 4 times as often as stable (40.0 % against 10.0 %, of 1,000 and 1,000 predictions).",
            id="more often",
        ),
        pytest.param(
            labels(a=20, b=980, c=1000),
            labels(a=100, b=900, c=1000),
            "Predicts `a` 5 times less often than stable (1.0 % against 5.0 %, of 2,000 and 2,000 predictions).",
            id="less often",
        ),
        pytest.param(
            labels(a=3000, b=17_000),
            labels(a=2000, b=18_000),
            "Predicts `a` 1.5 times as often as stable (15.0 % against 10.0 %, of 20,000 and 20,000 predictions).",
            id="a little more often",
        ),
        pytest.param(
            labels(new=300, b=700),
            labels(b=1000),
            "Predicts `new` and stable never does (30.0 % against 0.0 %, of 1,000 and 1,000 predictions).",
            id="a label that stable never predicts",
        ),
        pytest.param(
            labels(b=1000),
            labels(old=300, b=700),
            "Predicts `old` never, and stable does (0.0 % against 30.0 %, of 1,000 and 1,000 predictions).",
            id="a label that stable alone predicts",
        ),
        pytest.param(
            histogram(NUMBER, low=800, all=1000),
            histogram(NUMBER, low=200, all=1000),
            "Predicts at most 1 4 times as often as stable (80.0 % against 20.0 %, of 1,000 and 1,000 predictions).",
            id="numbers",
        ),
        pytest.param(
            labels(a=1000) + histogram(CONFIDENCE, low=800, all=1000),
            labels(a=1000) + histogram(CONFIDENCE, low=200, all=1000),
            "Is sure by at most 1 4 times as often as stable (80.0 % against 20.0 %, of 1,000 and 1,000 predictions).",
            id="confidence",
        ),
        pytest.param(
            labels(a=510, b=490),
            labels(a=490, b=510),
            "Predicts as stable does, as far as 1,000 and 1,000 predictions can tell.",
            id="what chance does",
        ),
    ],
)
def test_the_report_names_what_most_surely_differs(candidate: Answers, stable: Answers, said: str) -> None:
    assert describe((candidate, stable)) == said


@pytest.mark.parametrize(
    ("candidate", "stable", "more", "apart"),
    [
        (labels(a=400, b=600), labels(a=100, b=900), {"a"}, ("a", True)),
        (labels(a=100, b=900), labels(a=400, b=600), {"b"}, ("a", False)),
        (labels(new=300, b=700), labels(b=1000), {"new"}, ("new", True)),
        (labels(b=1000), labels(old=300, b=700), {"b"}, ("old", False)),
        (labels(a=50, b=50), labels(a=50, b=50), set(), ("a", True)),
        (NOBODY, NOBODY, set(), None),
    ],
)
def test_what_is_bet_on_is_what_differed_before(
    candidate: Answers, stable: Answers, more: set[str], apart: tuple[str, bool] | None
) -> None:
    assert leaning((candidate, stable)) == more
    assert furthest((candidate, stable)) == apart


# ------------------------------------------------------------------ the evidence


def begun(config: Config = LIMITS) -> State:
    """A state in which both limits have their tests."""
    start = EProcess.start(1)
    tests = {SHIFT: RelativeState("s", 0.001, start), CLASS_RATIO: RelativeState("c", 0.001, start)}
    wanted = {SHIFT: config.max_shift, CLASS_RATIO: config.max_class_ratio}
    return State(relative={key: test for key, test in tests.items() if wanted[key] is not None})


def test_both_sides_count_for_the_limits_and_each_block_is_added() -> None:
    # given a past in which the candidate leans to a
    past, block = (labels(a=60, b=40), labels(a=20, b=80)), (labels(a=7, b=3), labels(a=2, b=8))
    # when two blocks come
    once = weigh_predictions(LIMITS, begun(), block, past)
    twice = weigh_predictions(LIMITS, once, block, past)
    # then
    expected = Block(Counts(10, 7), Counts(10, 2))
    for key in (SHIFT, CLASS_RATIO):
        assert once.relative[key].total == expected
        assert twice.relative[key].total == expected + expected
        assert twice.relative[key].worse.evidence > once.relative[key].worse.evidence > 1
    # and of all labels, the candidate's most frequent one before
    assert twice.answers[ONE_CLASS].total == expected + expected
    assert twice.answers[NOT_FINITE].total == Block(Counts(20, 0), Counts(20, 0))


def test_a_label_that_stable_predicts_more_often_is_the_same_question_with_the_sides_swapped() -> None:
    past, block = (labels(a=10, b=90), labels(a=60, b=40)), (labels(a=1, b=9), labels(a=6, b=4))
    weighed = weigh_predictions(Config(max_class_ratio=2.0), begun(), block, past).relative
    assert weighed[CLASS_RATIO].total == Block(Counts(10, 6), Counts(10, 1))
    assert weighed[CLASS_RATIO].worse.evidence > 1
    assert weighed[SHIFT] == begun().relative[SHIFT]  # without its setting it rests


def test_a_setting_whose_test_has_not_begun_changes_nothing() -> None:
    past = (labels(a=60, b=40), labels(a=20, b=80))
    assert weigh_predictions(LIMITS, State(), past, past).relative == {}


def test_the_most_frequent_label_is_the_candidates() -> None:
    # given a past in which b is the candidate's, and a stable's and the last by name is neither
    past = (labels(a=10, b=80, c=10), labels(a=80, b=10, c=10))
    # when
    weighed = weigh_predictions(Config(), State(), (labels(b=9, c=1), labels(b=2, c=8)), past)
    # then
    assert weighed.answers[ONE_CLASS].total == Block(Counts(10, 9), Counts(10, 2))


@pytest.mark.parametrize("block", [(labels(a=5), NOBODY), (NOBODY, labels(a=5))])
def test_a_block_of_one_side_alone_is_no_comparison(block: tuple[Answers, Answers]) -> None:
    past = (labels(a=60, b=40), labels(a=20, b=80))
    assert weigh_predictions(Config(), State(), block, past).answers[ONE_CLASS].total == Block()


def test_one_label_is_bet_on_with_odds_of_eleven_and_numbers_with_half_as_many_again() -> None:
    # given a block with numbers that are none
    block = Answers({**labels(a=9, b=1).counts, (NON_FINITE,): 2}), labels(a=6, b=4)
    # when
    found = weigh_predictions(Config(), State(), block, (labels(a=60, b=40), labels(a=20, b=80))).answers
    # then
    start = EProcess.start(len(ALTERNATIVES))
    for key, counted, odds in (
        (ONE_CLASS, Block(Counts(10, 9), Counts(10, 6)), 11.0),
        (NOT_FINITE, Block(Counts(12, 2), Counts(10, 0)), 1.5),
    ):
        expected = start.update(log_likelihood_ratios(counted, odds))
        assert found[key].worse.log_s == pytest.approx(expected.log_s)


def test_what_a_breach_speaks_of_begins_when_the_evidence_last_was_none() -> None:
    # given a block that speaks for the candidate, and one that speaks against it
    past, good, bad = (labels(a=60, b=40),) * 2, (labels(a=1, b=9), labels(a=9, b=1)), (labels(a=10), labels(b=10))
    state = weigh_predictions(Config(), State(), good, past)
    assert state.answers[ONE_CLASS].stretch == Block()
    # when
    while state.answers[ONE_CLASS].worse.quiet:
        state = weigh_predictions(Config(), state, bad, past)
    # then
    assert state.answers[ONE_CLASS].stretch == Block(Counts(10, 10), Counts(10, 0))
    assert state.answers[ONE_CLASS].total.candidate.total > 10


# ------------------------------------------------------------------ the verdict


def test_the_two_tests_that_are_always_on_share_their_alpha() -> None:
    state = weigh_predictions(Config(), State(), (labels(a=1), labels(a=1)), (labels(a=1), labels(a=1)))
    assert {key: one.alpha for key, one in state.answers.items()} == {
        ONE_CLASS: Config().broken_alpha / 2,
        NOT_FINITE: Config().broken_alpha / 2,
    }


@pytest.mark.parametrize(
    ("seen", "control", "verdict", "of_stable"),
    [
        ((labels(a=5), NOBODY), True, Verdict.NOT_ENOUGH_DATA, None),
        ((NOBODY, labels(a=5)), True, Verdict.NOT_ENOUGH_DATA, Counts(5)),
        ((labels(a=5), NOBODY), False, Verdict.NO_CONTROL, None),
    ],
)
def test_without_both_sides_nothing_is_said(
    seen: tuple[Answers, Answers], control: bool, verdict: Verdict, of_stable: Counts | None
) -> None:
    judged = judge_predictions(Config(), State(), seen, control)
    assert (judged.guard, judged.kind, judged.verdict) == ("predictions", "relative", verdict)
    assert judged.sentence == "No predictions of both candidate and stable to compare yet."
    assert (judged.candidate, judged.stable) == (Counts(seen[0].predictions), of_stable)
    assert (judged.e_value, judged.threshold) == (1.0, 2 / Config().broken_alpha)


SEEN = (labels(a=400, b=600), labels(a=100, b=900))
REPORT = describe(SEEN)
STRETCH = Block(Counts(1000, 995), Counts(1000, 500))


PROCESS = EProcess.start(1).update((7.0,))


def condemned(key: str, part: float, stretch: Block = STRETCH) -> State:
    """A state in which one test has so large a part of the evidence that it needs, and the other none."""
    strong = RelativeState("x", part / PROCESS.evidence, PROCESS, stretch=stretch)
    weak = RelativeState("x", strong.alpha / 1e6, EProcess.start(1))
    other = ONE_CLASS if key != ONE_CLASS else NOT_FINITE
    if key in (SHIFT, CLASS_RATIO):
        return State(relative={key: strong}, answers={other: weak})
    return State(answers={key: strong, other: weak})


@pytest.mark.parametrize(
    ("key", "stretch", "why"),
    [
        (
            ONE_CLASS,
            STRETCH,
            "Almost all labels of the candidate are the same, of stable's not (99.5 % against 50.0 %)",
        ),
        (
            NOT_FINITE,
            Block(Counts(1000, 10), Counts(2000, 1)),
            "10 of 1,000 answers on the candidate were not finite (1.0 %), 1 of 2,000 on stable (0.05 %)",
        ),
        (SHIFT, STRETCH, "The labels differ by more than guards.predictions.maxShift (10 %)"),
        (
            CLASS_RATIO,
            STRETCH,
            "A label is predicted more than 2 times as often on one side (guards.predictions.maxClassRatio)",
        ),
    ],
)
def test_a_breach_says_which_limit_and_by_which_evidence(key: str, stretch: Block, why: str) -> None:
    # when the evidence is enough
    judged = judge_predictions(LIMITS, condemned(key, 1.0, stretch), SEEN, control=True)
    # then
    assert judged.verdict is Verdict.BREACH
    assert judged.sentence.startswith(why)
    assert judged.sentence.endswith(f". {REPORT}")
    assert (judged.e_value, judged.threshold) == (PROCESS.evidence, pytest.approx(PROCESS.evidence))
    assert (judged.candidate, judged.stable) == (Counts(1000), Counts(1000))
    assert "evidence" in judged.sentence
    # when it is not
    almost = judge_predictions(LIMITS, condemned(key, 0.999, stretch), SEEN, control=True)
    assert (almost.verdict, almost.sentence) == (Verdict.HEALTHY, REPORT)


@pytest.mark.parametrize(
    "stretch", [Block(Counts(1000, 990), Counts(1000, 500)), Block(Counts(1000, 995), Counts(1000, 900))]
)
def test_one_label_is_a_breach_only_where_it_is_nearly_all_and_was_not_before(stretch: Block) -> None:
    judged = judge_predictions(LIMITS, condemned(ONE_CLASS, 2.0, stretch), SEEN, control=True)
    assert judged.verdict is Verdict.HEALTHY


def test_numbers_that_are_none_count_among_the_answers() -> None:
    answers = Answers({**labels(a=8).counts, (NON_FINITE,): 2})
    state = weigh_predictions(Config(), State(), (answers, labels(a=10)), (labels(a=1), labels(a=1)))
    assert state.answers[NOT_FINITE].total == Block(Counts(10, 2), Counts(10, 0))
