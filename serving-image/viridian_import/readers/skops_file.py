"""skops: estimators of scikit-learn in a file that runs no code."""

from typing import Final

from viridian_import.faults import ImportFault
from viridian_import.messages import Load
from viridian_import.readers.estimator import Estimator
from viridian_import.readers.model import Original

_HARMLESS: Final = {"numpy.dtype"}
"""Types that run nothing, and that skops asks about nevertheless."""


def read(request: Load) -> Original:
    """Load a file of skops; see reading.read()."""
    path = request.path
    import skops.io

    unknown = set(skops.io.get_untrusted_types(file=path)) - _HARMLESS
    if unknown and not request.trusted:
        raise ImportFault(
            f"{path} holds types that skops does not know as harmless ({', '.join(sorted(unknown))}); if you trust its "
            "author, add --trusted"
        )
    return Estimator.of(skops.io.load(path, trusted=sorted(unknown | _HARMLESS)), path)
