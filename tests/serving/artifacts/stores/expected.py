"""What the tests of stores have in common."""

import os

from tests.serving.pod import Pod

MODEL = os.urandom(9_000_000)
"""Of three ranges."""


def says_none_of(pod: Pod, *secrets: str) -> None:
    """No log and no message holds a secret."""
    said = pod.log() + pod.termination_log
    assert not [secret for secret in secrets if secret in said]
