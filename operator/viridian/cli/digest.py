"""`kubectl viridian digest`: reads a model wherever it is, and says what its digest is."""

import http.client
import sys
import urllib.error
from pathlib import Path
from urllib.parse import unquote, urlsplit

from viridian.api.errors import ViridianError
from viridian_shared.digest import UnclearFiles, digest_of, digest_of_stream
from viridian_shared.https import LeavesTls, open_https, shown

_TIMEOUT = 60.0
"""Seconds without a byte after which a server is given up."""


class CannotDigest(ViridianError):
    """The files have no digest, or cannot be read."""


def digest_of_uri(uri: str) -> str:
    """The digest of a model.

    Args:
        uri: A path, `file:///PATH`, `https://HOST/PATH`, or `-` for standard input.

    Returns:
        `sha256:` and 64 hexadecimal digits.

    Raises:
        CannotDigest: It cannot be read from here; the message says why, and the way out.
    """
    if uri == "-":
        return digest_of_stream(sys.stdin.buffer)
    parts = urlsplit(uri)
    if "://" not in uri:
        return _of_path(Path(uri))
    if parts.scheme == "file" and not parts.netloc:
        return _of_path(Path(unquote(parts.path)))
    if parts.scheme == "https":
        return _of_url(uri)
    raise CannotDigest(f"{uri} cannot be read from here: {_way_out(parts.scheme)}")


def _way_out(scheme: str) -> str:
    if scheme == "pvc":
        return (
            "only pods can read a PersistentVolumeClaim. Digest the folder that was copied into it, or run `find ."
            r" -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- | sha256sum` in that folder in a pod"
            " that mounts it (for a single file, `sha256sum FILE`), and put sha256: before the digits"
        )
    if scheme == "image":
        return "digest the folder from which the image was built; a digest is optional here"
    if scheme == "http":
        return "models are fetched by https only"
    return "write the path of a file or folder, https://HOST/PATH, or - for standard input"


def _of_path(path: Path) -> str:
    try:
        return digest_of(path)
    except UnclearFiles as error:
        raise CannotDigest(f"{error}") from error
    except OSError as error:
        raise CannotDigest(f"{error.filename or path} cannot be read: {error.strerror}") from error


def _of_url(url: str) -> str:
    try:
        with open_https(url, _TIMEOUT) as answer:
            digest = digest_of_stream(answer)
            if answer.length:  # what is missing of the announced bytes: the end of the stream was no end
                raise CannotDigest(f"{shown(url)} broke off with {answer.length} bytes to go: try again")
            return digest
    except LeavesTls as error:
        raise CannotDigest(
            f"{error}: models are fetched by https only; write the address that it redirects to"
        ) from error
    except urllib.error.HTTPError as error:
        hint = " (with credentials: `curl … | kubectl viridian digest -`)" if error.code in (401, 403) else ""
        raise CannotDigest(f"{shown(url)} answers {error.code} {error.reason}: check the address{hint}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise CannotDigest(
            f"{shown(url)} cannot be read: {reason}; check the address and the network (for a certificate authority of"
            " your own, set SSL_CERT_FILE)"
        ) from error
