"""The certificates of ``spec.model.store.caConfigMap``."""

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.stores.source import Source


def read_authorities(source: Source) -> str:
    """Read the certificates of authorities of one's own.

    Returns:
        Certificates as text; empty where there are none.

    Raises:
        ModelError: They cannot be read.
    """
    if source.authorities is None:
        return ""
    try:
        return source.authorities.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"spec.model.store.caConfigMap: the certificates cannot be read ({error}); see that the ConfigMap exists "
            "and has the key, with certificates as text (PEM)"
        ) from error


def untrusted(name: str, why: str) -> ModelError:
    """What to say of a server whose certificate nobody vouches for.

    Args:
        name: Of the store.
        why: In the words of the library that looked at it.
    """
    return ModelError(
        f"spec.model.store.caConfigMap: the certificate of {name} is not trusted ({why}); name a ConfigMap with the "
        "certificate of the authority that signed it. The server's own must be another than the authority's"
    )
