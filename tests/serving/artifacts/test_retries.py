"""How long the fetch container waits before it tries again, and when it gives up."""

import time

import pytest

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.retries import LONGEST_PAUSE, TRIES, Deadline, PassingError, Tries

FAILED = PassingError("the store said 503")


def tries(seconds: float = 3600, got: int = 0) -> Tries:
    return Tries("s3://models/iris", Deadline(seconds, time.monotonic()), got)


def test_each_pause_is_up_to_twice_as_long_as_the_one_before_and_the_last_try_ends_it() -> None:
    # given a store that stays broken
    made = tries()
    # when it is tried in vain, then the pauses grow, each a part of its longest, so that pods do not come all at once
    for number in range(1, TRIES):
        assert 0.25 * 2**number <= made.pause_after(FAILED) <= 0.5 * 2**number
    # and then that is said
    with pytest.raises(ModelError, match="s3://models/iris cannot be fetched: the store said 503; 5 tries in a row"):
        made.pause_after(FAILED)


def test_what_is_new_begins_the_pauses_anew() -> None:
    made = tries(got=10)
    for _ in range(TRIES - 1):
        made.pause_after(FAILED, got=10)
    # when a try brings something, then it is not the last one
    assert made.pause_after(FAILED, got=11) <= 0.5


def test_a_store_is_left_alone_as_long_as_it_asks_but_not_beyond_the_deadline() -> None:
    asked = PassingError("429", pause=2 * LONGEST_PAUSE)
    assert tries().pause_after(asked) == 2 * LONGEST_PAUSE
    assert tries(seconds=LONGEST_PAUSE).pause_after(asked) <= LONGEST_PAUSE


def test_what_is_better_to_say_is_said_in_the_end() -> None:
    refused = ModelError("spec.model.credentialsSecretRef: the token has expired")
    made = tries()
    for _ in range(TRIES - 1):
        made.pause_after(PassingError("401", otherwise=refused))
    with pytest.raises(ModelError, match="the token has expired"):
        made.pause_after(PassingError("401", otherwise=refused))
