"""Feedback tokens, and what is counted of what comes back."""

import base64
import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serving.pages import samples

from viridian_serving.codec.instances import MAX_VIOLATIONS
from viridian_serving.feedback.accuracy import Feedback
from viridian_serving.feedback.counts import FeedbackCounts, Report
from viridian_serving.feedback.token import Given, TokenError, TokenReader, TokenWriter
from viridian_serving.http1.problems import Problem
from viridian_shared.counts.via import Via

KEY = "a key of the model iris"
OLD_KEY = "the key that it had before"
ISSUED = 1_800_000_000
HOUR = 3600.0


def writer(key: str = KEY, model: str = "iris", revision: str = "iris-7") -> TokenWriter:
    return TokenWriter([key], "ml", model, revision)


def reader(*keys: str, namespace: str = "ml", lifetime: float = HOUR) -> TokenReader:
    return TokenReader(keys or (KEY,), namespace, "iris", lifetime)


def token(prediction: object = 1, via: Via = Via.SPLIT, **made: str) -> str:
    written = writer(**made).write(prediction, via, ISSUED)
    assert written is not None
    return written


class Taker:
    """A pod's feedback, at one moment."""

    def __init__(self, now: float = ISSUED + 60, max_items: int = 10) -> None:
        self.counts = FeedbackCounts("iris-7")
        self.feedback = Feedback(reader(), self.counts, max_items, lambda: now)

    def take(self, document: object) -> dict[str, int]:
        return json.loads(self.feedback.take(json.dumps(document).encode()))

    def refused(self, document: object) -> Problem:
        with pytest.raises(Problem) as caught:
            self.take(document)
        return caught.value

    def samples(self) -> dict[tuple[str, ...], float]:
        """By name, revision, via, and what it was; what is not zero, without ages."""
        labels = ("revision", "via", "result", "accepted", "sign", "bin")
        page = samples(lambda: self.counts.families("ml", "iris", "uid"), *labels)
        times = ("viridian_feedback_cohort", "viridian_feedback_age", "viridian_feedback_last")
        return {key: value for key, value in page.items() if value and not key[0].startswith(times)}


# -- tokens


@pytest.mark.parametrize(("prediction", "via"), list(product((0, -3, 2.5, True, "Köln", ""), Via)))
def test_a_token_says_what_was_predicted(prediction: object, via: Via) -> None:
    said = reader().read(token(prediction, via), ISSUED + 1)
    assert (said.revision, said.via, said.prediction, said.issued) == ("iris-7", via, prediction, ISSUED)
    assert type(said.prediction) is type(prediction)


@pytest.mark.parametrize("confidence", [0.0, 0.5, 0.987, 1.0])
def test_a_token_says_how_sure_the_model_was(confidence: float) -> None:
    made = writer().write("Köln", Via.SPLIT, ISSUED, confidence)
    said = reader().read(made or "", ISSUED)
    assert said.confidence == pytest.approx(confidence, abs=0.002)
    assert (said.revision, said.via, said.prediction) == ("iris-7", Via.SPLIT, "Köln")


@pytest.mark.parametrize("confidence", [None, "high", -0.1, 1.1, float("nan"), [0.5]])
def test_what_is_no_confidence_is_in_no_token(confidence: object) -> None:
    made = writer().write(1, Via.SPLIT, ISSUED, confidence)
    assert reader().read(made or "", ISSUED).confidence is None


def test_a_prediction_can_be_told_by_something_else_than_its_number() -> None:
    first, second = (writer().write(1, Via.SPLIT, ISSUED, nonce=b"12345678") for _ in range(2))
    assert first == second
    assert reader().read(first or "", ISSUED).nonce == b"12345678"


def test_a_token_is_short_and_fits_into_a_url() -> None:
    made = token(7)
    assert len(made) < 64
    assert made.replace(".", "").replace("-", "").replace("_", "").isalnum()


def test_equal_predictions_have_different_tokens() -> None:
    one = writer()
    assert len({one.write(1, Via.SPLIT, ISSUED) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("prediction", [[1, 2], {"a": 1}, None, "x" * 255])
def test_what_is_not_one_label_or_number_has_no_token(prediction: object) -> None:
    assert writer().write(prediction, Via.SPLIT, ISSUED) is None


@pytest.mark.parametrize("keys", [(KEY,), (OLD_KEY, KEY), (KEY, OLD_KEY)])
def test_any_key_of_the_model_is_believed(keys: tuple[str, ...]) -> None:
    assert reader(*keys).read(token(), ISSUED).prediction == 1


@pytest.mark.parametrize(
    ("made", "checks"),
    [
        (token(key=OLD_KEY), reader()),
        (token(model="digits"), reader()),
        (token(), reader(namespace="other")),
    ],
    ids=["another key", "another model", "another namespace"],
)
def test_another_model_s_token_is_not_believed(made: str, checks: TokenReader) -> None:
    with pytest.raises(TokenError, match="not signed by a pod of model 'iris'"):
        checks.read(made, ISSUED)


def test_a_token_expires() -> None:
    made = token()
    assert reader().read(made, ISSUED + HOUR).prediction == 1
    with pytest.raises(TokenError, match=r"has expired: it is 2\.0 h old, and 1 h is the longest"):
        reader().read(made, ISSUED + 2 * HOUR)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_bit_of_a_token_can_be_changed(position: int, change: int) -> None:
    # given
    raw = bytearray(base64.urlsafe_b64decode(token("label").removeprefix("v1.") + "=="))
    # when
    raw[position % len(raw)] ^= change
    # then
    with pytest.raises(TokenError):
        reader().read("v1." + base64.urlsafe_b64encode(raw).decode().rstrip("="), ISSUED)


@given(st.one_of(st.text(), st.text().map("v1.".__add__), st.binary(max_size=80).map(lambda b: f"v1.{b.hex()}")))
def test_whatever_else_is_sent_is_refused(sent: str) -> None:
    with pytest.raises(TokenError):
        reader().read(sent, ISSUED)


def test_no_character_of_a_token_can_be_changed() -> None:
    made = token("label")
    for position, (character, other) in product(range(3, len(made)), zip("AB", "BA", strict=True)):
        changed = made[:position] + (other if made[position] == character else character) + made[position + 1 :]
        if changed != made:
            with pytest.raises(TokenError):
                reader().read(changed, ISSUED)


@pytest.mark.parametrize("cut", [1, 5, 20, 50])
def test_a_cut_token_is_refused(cut: int) -> None:
    with pytest.raises(TokenError):
        reader().read(token()[:-cut], ISSUED)


def test_a_token_of_a_newer_version_is_no_crash() -> None:
    # given a token whose way this version does not know
    from viridian_serving.feedback import token

    payload = token._FIXED.pack(ISSUED, b"12345678", 99, 1) + b"r1"
    mac = token._mac(token._derive(KEY, "ml", "iris"), payload)
    made = "v1." + base64.urlsafe_b64encode(mac + payload).decode().rstrip("=")
    # when, then
    with pytest.raises(TokenError, match="newer version"):
        reader().read(made, ISSUED)


# -- what comes back


@pytest.mark.parametrize(
    ("seconds", "age"), [(0, "10m"), (600, "10m"), (601, "1h"), (86_400, "1d"), (604_800, "7d"), (604_801, "older")]
)
def test_labels_of_requests_assigned_at_random_are_counted_by_their_age(seconds: int, age: str) -> None:
    counts = FeedbackCounts("iris-7")
    for via in (Via.SPLIT, Via.PIN):
        counts.count(Given("iris-6", via, "cat", ISSUED, b""), Report("dog"), ISSUED + seconds)
    page = samples(lambda: counts.families("ml", "iris", "uid"), "revision", "age", "result")
    cohorts = {key: number for key, number in page.items() if key[0] == "viridian_feedback_cohort_total" and number}
    assert cohorts == {("viridian_feedback_cohort_total", "iris-6", age, "incorrect"): 1}


def test_labels_are_counted_by_revision_and_by_way() -> None:
    taker = Taker()
    given_ = [
        (token(1), 1),
        (token(1), 2),
        (token("cat", revision="iris-6"), "cat"),
        (token(True, Via.PIN), False),
        (token(3), 3.0),
    ]
    assert taker.take([{"token": made, "actual": actual} for made, actual in given_]) == {"counted": 5, "repeated": 0}
    assert taker.samples() == {
        ("viridian_feedback_total", "iris-7", "split", "correct"): 2,
        ("viridian_feedback_total", "iris-7", "split", "incorrect"): 1,
        ("viridian_feedback_total", "iris-6", "split", "correct"): 1,
        ("viridian_feedback_total", "iris-7", "pin", "incorrect"): 1,
    }


def test_numbers_are_counted_by_their_distance() -> None:
    taker = Taker()
    taker.take([{"token": token(2.5), "actual": 2}, {"token": token(-1.0), "actual": 0.25}])
    assert taker.samples() == {
        ("viridian_feedback_absolute_error_sum", "iris-7", "split"): 1.75,
        ("viridian_feedback_absolute_error_count", "iris-7", "split"): 2,
    }


def test_a_token_counts_once() -> None:
    taker = Taker()
    item = {"token": token(1), "actual": 1}
    assert taker.take(item) == {"counted": 1, "repeated": 0}
    assert taker.take([item, item]) == {"counted": 0, "repeated": 2}
    assert sum(taker.samples().values()) == 1


def test_what_came_of_predictions_is_counted_beside_their_truth() -> None:
    # given predictions of which one was worth something, one was turned down at a loss, and one was no user's
    taker = Taker()
    taker.take(
        [
            {"token": token(1), "accepted": True, "value": 12.5},
            {"token": token(2.5, Via.PIN), "accepted": False, "value": -4, "actual": 2},
            {"token": token(1, Via.CHECK), "accepted": True, "value": 1000},
        ]
    )
    # then
    assert taker.samples() == {
        ("viridian_feedback_accepted_total", "iris-7", "split", "true"): 1,
        ("viridian_feedback_accepted_total", "iris-7", "pin", "false"): 1,
        ("viridian_feedback_valued_total", "iris-7", "split"): 1,
        ("viridian_feedback_valued_total", "iris-7", "pin"): 1,
        ("viridian_feedback_value_total", "iris-7", "split", "gain"): 12.5,
        ("viridian_feedback_value_total", "iris-7", "pin", "loss"): 4,
        ("viridian_feedback_absolute_error_sum", "iris-7", "pin"): 0.5,
        ("viridian_feedback_absolute_error_count", "iris-7", "pin"): 1,
    }


def test_the_truth_may_come_later_than_the_decision_and_each_counts_once() -> None:
    # given a prediction that was accepted at once
    taker, made = Taker(), token(1)
    assert taker.take({"token": made, "accepted": True}) == {"counted": 1, "repeated": 0}
    # when its truth comes, with the decision again, and then all of it again
    assert taker.take({"token": made, "accepted": False, "actual": 1}) == {"counted": 1, "repeated": 0}
    assert taker.take({"token": made, "accepted": True, "actual": 2}) == {"counted": 0, "repeated": 1}
    # then the first of each is what counts
    assert taker.samples() == {
        ("viridian_feedback_accepted_total", "iris-7", "split", "true"): 1,
        ("viridian_feedback_total", "iris-7", "split", "correct"): 1,
    }


def test_confidence_is_held_against_the_truth() -> None:
    # given labels with confidences, of which one is at the very end of the scale, and one has none
    taker, one = Taker(), writer()
    given_ = [(0.92, 1), (0.98, 2), (1.0, 1), (0.0, 2), (None, 1)]
    taker.take([{"token": one.write(1, Via.SPLIT, ISSUED, sure), "actual": actual} for sure, actual in given_])
    # then
    found = {key: value for key, value in taker.samples().items() if "confidence" in key[0]}
    assert found == pytest.approx(
        {
            ("viridian_feedback_confidence_count", "iris-7", "0.9"): 3,
            ("viridian_feedback_confidence_sum", "iris-7", "0.9"): 2.9,
            ("viridian_feedback_confidence_correct_total", "iris-7", "0.9"): 2,
            ("viridian_feedback_confidence_count", "iris-7", "0.0"): 1,
        },
        abs=0.01,
    )


def test_the_age_of_feedback_is_told() -> None:
    # when
    taker = Taker(now=ISSUED + 600.0)
    taker.take([{"token": token(1), "actual": 1}, {"token": token(1), "value": 3}])
    # then
    page = samples(lambda: taker.counts.families("ml", "iris", "uid"))
    assert page[("viridian_feedback_age_seconds_sum",)] == 1200
    assert page[("viridian_feedback_age_seconds_count",)] == 2
    assert page[("viridian_feedback_last_timestamp_seconds",)] == ISSUED + 600


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        (3, [""]),
        ({}, ["/token", ""]),
        ({"token": 1, "actual": 1}, ["/token"]),
        ({"token": "x", "actual": 1}, ["/token"]),
        ({"token": token(), "actual": 1, "extra/~": 0}, ["/extra~1~0"]),
        ({"token": token()}, [""]),
        ({"token": token(), "accepted": 1}, ["/accepted"]),
        ({"token": token(), "accepted": None}, ["/accepted"]),
        ({"token": token(), "actual": 1, "value": "12"}, ["/value"]),
        ({"token": token(), "actual": 1, "value": True}, ["/value"]),
        ({"token": token(), "accepted": "no", "value": 1e9 + 1}, ["/accepted", "/value"]),
        ({"token": "x", "accepted": 3, "actual": object.__name__}, ["/token", "/accepted"]),
        ({"token": token(), "actual": "1"}, ["/actual"]),
        ({"token": token(), "actual": 1.5}, ["/actual"]),
        ({"token": token(), "actual": True}, ["/actual"]),
        ({"token": token(), "actual": None}, ["/actual"]),
        ({"token": token("cat"), "actual": 1}, ["/actual"]),
        ({"token": token(True), "actual": 1}, ["/actual"]),
        ({"token": token(1.5), "actual": "1.5"}, ["/actual"]),
        ({"token": token(1.5), "actual": 10**400}, ["/actual"]),
        ([{"token": token(), "actual": 1}, 7, {"token": "x", "actual": 1}], ["/1", "/2/token"]),
    ],
)
def test_each_wrong_field_is_named_and_nothing_is_counted(document: object, pointers: list[str]) -> None:
    taker = Taker()
    problem = taker.refused(document)
    assert (problem.status, problem.kind) == (400, "invalid-feedback")
    assert [violation.pointer for violation in problem.errors] == pointers
    assert taker.samples() == {}


def test_of_a_million_wrong_members_the_first_are_named() -> None:
    problem = Taker(max_items=10_000).refused(dict.fromkeys(map(str, range(1_000_000)), 0))
    assert (len(problem.errors), problem.errors[0].pointer) == (MAX_VIOLATIONS, "/0")
    assert "1000002 value(s)" in problem.detail


def test_an_expired_token_is_named() -> None:
    problem = Taker(now=ISSUED + 2 * HOUR).refused({"token": token(), "actual": 1})
    assert [violation.pointer for violation in problem.errors] == ["/token"]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [(b"", 400, "invalid-json"), (b"[", 400, "invalid-json"), (b"[]", 400, "invalid-feedback"),
     (b"[" * 20_000, 400, "invalid-json"), (b"[" + b"1," * 10 + b"1]", 413, "too-many-items"),
     (b"[" * 20_481, 413, "too-many-items")],
)  # fmt: skip
def test_bodies_that_are_no_feedback(body: bytes, status: int, kind: str) -> None:
    with pytest.raises(Problem) as caught:
        Taker().feedback.take(body)
    assert (caught.value.status, caught.value.kind) == (status, kind)


def test_memory_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a pod that remembers three
    monkeypatch.setattr("viridian_serving.feedback.accuracy._MAX_REMEMBERED", 3)
    taker, one = Taker(), writer()
    items = [{"token": one.write(1, Via.SPLIT, ISSUED), "actual": 1} for _ in range(4)]
    # when
    taker.take(items)
    # then the last three are known, and the first is counted again
    assert taker.take(items[1:]) == {"counted": 0, "repeated": 3}
    assert taker.take(items[0]) == {"counted": 1, "repeated": 0}


def test_the_page_shows_a_bounded_number_of_revisions() -> None:
    counts = FeedbackCounts("iris-0")
    for number in range(100):
        counts.count(Given(f"iris-{number}", Via.SPLIT, 1, ISSUED, b""), Report(1), ISSUED)
    assert len(counts.by_revision) == 17
    assert counts.by_revision["other"].truth[Via.SPLIT].correct == 84
    assert counts.by_revision["iris-0"].truth[Via.SPLIT].correct == 1
