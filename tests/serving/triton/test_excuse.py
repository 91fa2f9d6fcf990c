"""The word from the API to the triton container that a request may have ended Triton."""

import os
import threading
import time
from pathlib import Path

from viridian_serving.triton import excuse


def test_a_word_is_taken_once(tmp_path: Path) -> None:
    excuse.leave(tmp_path)
    assert excuse.take(tmp_path, 0)
    assert not excuse.take(tmp_path, 0)


def test_a_word_that_comes_a_moment_later_is_waited_for(tmp_path: Path) -> None:
    later = threading.Timer(0.2, excuse.leave, [tmp_path])
    later.start()
    assert excuse.take(tmp_path, 60)
    later.join()


def test_a_word_about_an_earlier_end_excuses_nothing(tmp_path: Path) -> None:
    # given one that nobody took
    excuse.leave(tmp_path)
    (file,) = tmp_path.iterdir()
    then = time.time() - 60
    os.utime(file, (then, then))
    # then it does not count for the end of today, nor for the next one
    assert not excuse.take(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_said_the_end_counts(tmp_path: Path) -> None:
    excuse.leave(tmp_path / "nowhere")
    assert not excuse.take(tmp_path / "nowhere", 0)
