"""Says why a container cannot start where people look: in its log, and in the pod's status."""

import sys
from collections.abc import Sequence
from pathlib import Path


def report(termination_log: Path, sentences: Sequence[str]) -> None:
    """Write sentences to standard error and to the termination log.

    Args:
        termination_log: The file that the kubelet copies into the pod's status.
        sentences: Each says what is wrong and the way out.
    """
    text = "\n".join(sentences) + "\n"
    sys.stderr.write(text)
    try:
        termination_log.write_text(text)
    except OSError as error:
        sys.stderr.write(f"{termination_log} could not be written: {error}\n")
