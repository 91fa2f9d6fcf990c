"""What a library says is repeated without what only its authors can read."""

import subprocess
import sys
from pathlib import Path

import pytest

from viridian_import.pipe import EndedError, exchange, last_words
from viridian_serving.artifacts.library_words import words_of


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "[20:40:06] /workspace/src/common/json.cc:409: Expecting digit, around character position: 7511\n"
            "    5104E-1,9.878540\n    ~~~~~~~^~~~~~~~~\n\nStack trace:\n  [bt] (0) /lib/libxgboost.so(+0x2e) [0x7f]\n",
            "Expecting digit, around character position: 7511 5104E-1,9.878540",
        ),
        (
            "[20:40:29] /workspace/include/xgboost/string_view.h:46: Check failed: beg <= size_ (5993 vs. 5940) : \n"
            "Stack trace:\n  [bt] (0) /lib/libxgboost.so(+0x2e) [0x7f]\n",
            "Check failed: beg <= size_ (5993 vs. 5940)",
        ),
        (
            "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Non-zero status code returned while running Gather node. "
            "Name:'g' Status Message: /onnxruntime_src/tensor/gather.cc:42 Status onnxruntime::Gather::Run() const "
            "indices element out of data bounds, idx=9",
            "running Gather node 'g': indices element out of data bounds, idx=9",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Scan node. Name:'' Status "
            "Message: out of memory",
            "running Scan node: out of memory",
        ),
        ("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Protobuf parsing failed.", "Protobuf parsing failed."),
        ("Input X contains NaN.\nRidge does not accept them.", "Input X contains NaN. Ridge does not accept them."),
        ("x" * 300, "x" * 240 + " …"),
        ("see docs/a.html:12 for more", "see docs/a.html:12 for more"),
    ],
)
def test_places_in_sources_and_stacks_are_left_out(said: str, shown: str) -> None:
    assert words_of(RuntimeError(said)) == shown


def test_an_error_without_words_is_said_by_its_name() -> None:
    assert words_of(MemoryError()) == "MemoryError"


def test_of_a_traceback_the_last_line_is_shown_and_each_line_once() -> None:
    printed = (
        "Exception ignored on calling ctypes callback function: <function f at 0x7f>\n"
        'Traceback (most recent call last):\n  File "basic.py", line 273, in _log_callback\n    log(message)\n'
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0x99\n"
        "[LightGBM] [Fatal] Model format error\n[LightGBM] [Fatal] Model format error\n"
        "terminate called without an active exception\n"
    )
    assert last_words(printed) == (
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0x99; [LightGBM] [Fatal] Model format error"
    )
    assert last_words("\n") == ""


@pytest.mark.parametrize(
    ("end", "how", "crashed", "killed"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "by SIGSEGV", True, False),
        ("os.kill(os.getpid(), signal.SIGKILL)", "by SIGKILL", False, True),
        ("sys.exit(3)", "with exit code 3", False, False),
    ],
)
def test_a_process_that_ends_before_it_answers(tmp_path: Path, end: str, how: str, crashed: bool, killed: bool) -> None:
    # given
    printed = tmp_path / "printed.txt"
    program = f"import os, signal, sys; sys.stdin.readline(); print('so far', file=sys.stderr, flush=True); {end}"
    with printed.open("wb") as errors:
        process = subprocess.Popen(
            (sys.executable, "-c", program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
    # when
    with process, pytest.raises(EndedError) as raised:
        exchange(process, b"{}", printed)
    # then
    ended = raised.value
    assert (ended.how, ended.crashed, ended.killed) == (how, crashed, killed)
    assert ended.said == ". It printed: so far"
