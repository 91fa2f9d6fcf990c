"""skops: estimators of scikit-learn in a file that runs no code."""

from typing import Any

from viridian_import.faults import ImportFault
from viridian_import.readers.estimator import Estimator
from viridian_import.readers.model import Original


def read(path: str) -> Original:
    """Load a file of skops; see reading.read()."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        unknown: list[Any] = skops.io.get_untrusted_types(file=path)
        if unknown:
            raise ImportFault(
                f"{path} holds types that skops does not know as harmless ({', '.join(map(str, unknown))}); save the "
                "model with joblib and import that with --trusted, if you trust where it comes from"
            )
        loaded = skops.io.load(path)
    except (UntrustedTypesFoundException, ValueError, KeyError, OSError) as error:
        raise ImportFault(
            f"{path} is not a file of skops that can be used ({error}); save it again with skops.io.dump(model, path)"
        ) from None
    return Estimator.of(loaded, path)
