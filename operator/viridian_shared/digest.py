r"""The digest of a model: one text that two copies share exactly when their files are the same.

A file's digest is the SHA-256 of its bytes. A folder's is the SHA-256 of a list with one line for each file in it, at
any depth, sorted by path:

    <SHA-256 of the file, 64 hexadecimal digits><two spaces><path below the folder, with slashes>\n

in UTF-8, sorted by the paths' bytes. That is what `sha256sum` prints, so anybody can check it:

    find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- | sha256sum

Empty folders, times, owners and permissions do not count. What could be read in two ways is refused: links, devices,
and names that are not UTF-8 or hold a backslash or a control character. Both sides refuse the same.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

PREFIX = "sha256:"
PATTERN = re.compile(r"sha256:[0-9a-f]{64}")
CHUNK = 1 << 20
"""Bytes that are read at once."""


class UnclearFiles(Exception):
    """These files have no digest. The message says which, why, and what to do."""


def _go_on(read: int) -> None:
    """Do nothing: who has no deadline needs no look at the clock."""


def digest_of(path: Path, went_on: Callable[[int], None] = _go_on) -> str:
    """The digest of a file or folder.

    Args:
        path: What to read.
        went_on: Called with the number of bytes after each chunk that was read; what it raises ends the reading.

    Returns:
        `sha256:` and 64 hexadecimal digits.

    Raises:
        UnclearFiles: A folder holds nothing, or something that is no plain file.
        OSError: Something cannot be read.
    """
    if not path.is_dir():
        if path.exists() and not path.is_file():
            raise UnclearFiles(f"{path} is neither a file nor a folder; name one of these")
        with path.open("rb") as file:
            return digest_of_stream(file, went_on)
    files = sorted(_files(path, path), key=lambda found: found[0].encode())
    if not files:
        raise UnclearFiles(f"{path} holds no file; name the folder with the model's files")
    listing = hashlib.sha256()
    for name, file_path in files:
        with file_path.open("rb") as file:
            listing.update(f"{_hexadecimal(file, went_on)}  {name}\n".encode())
    return PREFIX + listing.hexdigest()


def digest_of_stream(stream: BinaryIO, went_on: Callable[[int], None] = _go_on) -> str:
    """The digest of what a stream gives until its end, as that of a file with these bytes."""
    return PREFIX + _hexadecimal(stream, went_on)


def unclear(name: str) -> str:
    """Why a path within a model cannot be used, as the end of a sentence; empty if it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8; rename it"
    if "\\" in name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "has a backslash or a control character in its name; rename it"
    return ""


def _files(root: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    for entry in _entries(folder):
        path = Path(entry.path)
        name = path.relative_to(root).as_posix()
        if why := unclear(name):
            raise UnclearFiles(f"{name!r} in {root} {why}")
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            yield from _files(root, path)
        elif stat.S_ISREG(mode):
            yield name, path
        else:
            kind = "a link: put the file itself there, for example with cp -RL" if stat.S_ISLNK(mode) else "no file"
            raise UnclearFiles(f"{name!r} in {root} is {kind}; a model is made of plain files and folders")


def _entries(folder: Path) -> Iterable["os.DirEntry[str]"]:
    with os.scandir(folder) as found:
        return list(found)


def _hexadecimal(stream: BinaryIO, went_on: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
        went_on(len(chunk))
    return digest.hexdigest()
