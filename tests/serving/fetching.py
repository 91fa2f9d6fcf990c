"""What the fetch container does, for its tests: its real process is run until it ends."""

import os
import re
from pathlib import Path

from tests.serving.pod import Pod
from tests.waiting import DEADLINE, eventually

from viridian_shared.pod.exit_codes import FETCH_REFUSED

MODEL = os.urandom(300_000)


def mount(pod: Pod) -> Path:
    return pod.directory / "mount"


def fetched(pod: Pod) -> Path:
    return mount(pod) / "model"


def run(pod: Pod) -> tuple[int, str]:
    """Exit code and last words."""
    (pod.directory / "termination-log").write_text("")
    code = pod.start_fetch().wait(DEADLINE)
    return code, pod.termination_log


def fails(pod: Pod, *words: str) -> None:
    """It ends with one sentence that has these words, and nothing is put in place."""
    code, sentence = run(pod)
    # The operator tells by the exit code that it is the credentials.
    refused = sentence.startswith("spec.model.credentialsSecretRef:")
    assert code == (FETCH_REFUSED if refused else 1), pod.log()
    assert sentence.count("\n") == 1
    for word in words:
        assert word in sentence
    assert not fetched(pod).exists()


def succeeds(pod: Pod) -> None:
    code, sentence = run(pod)
    assert (code, sentence) == (0, ""), pod.log()


def peak_of(pod: Pod, within: float = 120) -> int:
    """Run the fetch container; return the most MiB that it had in memory."""
    process, peaks = pod.start_fetch_alone(), [0]
    status = Path(f"/proc/{process.pid}/status")

    def ended() -> bool:
        # The kernel keeps the peak, so the last look before the end is what counts.
        if found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text()):
            peaks.append(int(found[1]) >> 10)
        return process.poll() is not None

    eventually(ended, pod.log, within)
    assert process.returncode == 0, pod.log()
    return max(peaks)
