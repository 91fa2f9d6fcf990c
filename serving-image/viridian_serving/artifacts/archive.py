"""Unpacks archives of models, and nothing else that an archive can hold."""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, Self

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.retries import Deadline
from viridian_shared.digest import CHUNK, unclear

MAX_FILES: Final = 10_000
"""Files and folders in an archive."""
_BLOCK: Final = 4096
"""Bytes that even the smallest file takes from a disk."""
DAMAGED: Final = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
_MOST_HEADER: Final = 64 * 1024
"""Bytes of a long name or of other attributes of an entry, which tarfile reads at once."""
_HEADERS: Final = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_TAR: Final = b"ustar"
_TAR_AT: Final = 257


@dataclass(frozen=True)
class _Member:
    """One entry; `content` is None for a folder."""

    name: str
    content: IO[bytes] | None


def is_archive(file: Path) -> bool:
    """Return whether a file is an archive, by its first bytes: addresses need not end in .tar.gz."""
    return _kind(file) != ""


def unpack(archive: Path, target: Path, max_size: int, deadline: Deadline) -> None:
    """Unpack an archive.

    Only plain files and folders are made, with our own permissions; what would lead out of the target, or make anything
    else, ends it.

    Args:
        archive: For which is_archive() says yes.
        target: An empty folder.
        max_size: Bytes that the files may take from the disk.
        deadline: When to give up.

    Raises:
        ModelError: It is damaged, too large, or holds what no model needs; the message names the field of the spec.
        OSError: The files cannot be stored.
    """
    unpack_within(archive, target, Budget(max_size, deadline))


def unpack_within(archive: Path, target: Path, budget: "Budget") -> None:
    """Unpack an archive where others were unpacked before; see ``unpack``."""
    try:
        for member in _zip(archive) if _kind(archive) == "zip" else _tar(archive, gzipped=_kind(archive) == "gzip"):
            budget.begin()
            _place(member, target / inside(member.name), budget)
    except DAMAGED as error:
        raise ModelError(f"spec.model.uri: the archive is damaged ({error}); pack it again") from error


class Budget:
    """What an archive may still cost."""

    def __init__(self, max_size: int, deadline: Deadline) -> None:
        """Begin; see ``unpack``."""
        self._max_size = max_size
        self._deadline = deadline
        self._size = 0
        self._files = 0

    def begin(self) -> None:
        """Count a file or folder."""
        self._files += 1
        if self._files > MAX_FILES:
            raise ModelError(f"spec.model.uri: the archive holds more than {MAX_FILES} files; a model has fewer")
        self.spend(_BLOCK)

    def spend(self, size: int) -> None:
        """Count bytes. What an archive says about sizes is not believed."""
        self._size += size
        if self._size > self._max_size:
            raise ModelError(
                f"spec.model.maxSize: the archive holds more than {self._max_size} bytes when unpacked; raise it if "
                "the model is that large"
            )
        self._deadline.check("unpacking")


def _kind(file: Path) -> str:
    with file.open("rb") as opened:
        start = opened.read(_TAR_AT + len(_TAR))
    if start.startswith(_GZIP):
        return "gzip"
    if start.startswith(_ZIP):
        return "zip"
    return "tar" if start[_TAR_AT:] == _TAR else ""


class _Entry(tarfile.TarInfo):
    """Refuses a header that is larger than any name, before it is read into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a block; part of tarfile's interface."""
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in _HEADERS and entry.size > _MOST_HEADER:
            raise tarfile.ReadError(f"the header of an entry has {entry.size} bytes")
        return entry


def _tar(archive: Path, *, gzipped: bool) -> Iterator[_Member]:
    with _open_tar(archive, gzipped=gzipped) as opened:
        for info in opened:
            if not (info.isreg() or info.isdir()):
                raise odd(info.name, "a link" if info.issym() or info.islnk() else "no plain file")
            yield _Member(info.name, opened.extractfile(info) if info.isreg() else None)


def _open_tar(archive: Path, *, gzipped: bool) -> tarfile.TarFile:
    # As a stream: nothing is read ahead, so a hostile archive costs no more than was looked at.
    return tarfile.open(archive, "r|gz" if gzipped else "r|", tarinfo=_Entry)


def open_tar(archive: Path) -> tarfile.TarFile:
    """Open an archive, compressed or not, to be read once from its beginning to its end.

    Raises:
        tarfile.TarError: It is none.
    """
    return _open_tar(archive, gzipped=_kind(archive) == "gzip")


def _zip(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise odd(info.filename, "a link" if kind == stat.S_IFLNK else "no plain file")
            if info.flag_bits & 1:
                raise ModelError("spec.model.uri: the archive is encrypted; pack it without a password")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ModelError("spec.model.uri: the archive is compressed in an unusual way; pack it with zip or tar")
            if info.is_dir():
                yield _Member(info.filename, None)
            else:
                with opened.open(info) as content:
                    yield _Member(info.filename, content)


def inside(name: str) -> PurePosixPath:
    """Return the path of an entry.

    Raises:
        ModelError: It leads out of the archive, or can be read in two ways.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise odd(name, "a path that leads out of the archive")
    if why := unclear(name):
        raise ModelError(f"spec.model.uri: {name!r} in the archive {why}")
    return path


def odd(name: str, what: str) -> ModelError:
    """Return what to say of an entry that is no plain file or folder."""
    return ModelError(
        f"spec.model.uri: {name!r} in the archive is {what}; pack plain files and folders "
        "(tar --dereference --hard-dereference)"
    )


def _place(member: _Member, path: Path, budget: Budget) -> None:
    try:
        if member.content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(member.content, path, budget)
    except (FileExistsError, NotADirectoryError) as error:
        raise ModelError(f"spec.model.uri: the archive holds {member.name!r} twice; pack each file once") from error


def write(content: IO[bytes], path: Path, budget: Budget) -> None:
    """Write a file that is not there yet."""
    with path.open("xb") as file:
        while chunk := content.read(CHUNK):
            budget.spend(len(chunk))
            file.write(chunk)
