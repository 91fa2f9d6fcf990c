"""Loads a native model, as ``python -m viridian_serving.triton.native_examination FOLDER FORMAT``.

A separate process, since loading may run code, and so that none of its memory stays.
"""

import os
import sys
from collections.abc import Sequence

import msgspec

from viridian_serving.triton.native_model import NativeModel, NativeModelError


def main(arguments: Sequence[str]) -> int:
    """Load a model, and print why it cannot be served, or nothing, as a JSON string.

    Args:
        arguments: The model's folder, and its format.

    Returns:
        The exit code: 0, also when the model cannot be served.
    """
    folder, form = arguments
    # What the model prints must not be taken for the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        NativeModel(folder, form)
        fault = ""
    except NativeModelError as error:
        fault = str(error)
    answer.write(msgspec.json.encode(fault))
    answer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
