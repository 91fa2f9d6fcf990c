"""What every store of models offers: the files that an address names, and their bytes, range by range."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Checksum:
    """What the store itself says the bytes of a file are."""

    kind: Literal["sha256", "md5", "git-blob"]
    """git-blob is the SHA-1 that Git gives a file: of a header with its size, and its bytes."""
    digest: str
    """Hexadecimal digits, in lower case."""


@dataclass(frozen=True)
class StoredFile:
    """A file of the model as the store lists it."""

    path: str
    """Below the address, with slashes; empty if the address names this file itself."""
    size: int
    """Bytes."""
    tag: str
    """What is another whenever the content is another."""
    checksum: Checksum | None = None


class Store(Protocol):
    """The files that one address names.

    Whoever makes one gives its client its own timeout for each answer. Its methods raise ``PassingError`` where
    another try may help, and ``ModelError`` where none will. What they say names the field of the spec and holds
    neither a key nor a token.
    """

    @property
    def is_streamed(self) -> bool:
        """Whether each file is asked for in one, from where it broke off: its server has to gather it for each answer.

        It is known once there is a list of files.
        """

    async def files(self) -> Sequence[StoredFile]:
        """List the files: one with an empty path, or those of a folder."""

    def read(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes | memoryview]:
        """Read some bytes of a file, as they come.

        Args:
            file: From ``files``.
            start: The first byte's position.
            end: The position after the last one.
        """

    async def aclose(self) -> None:
        """Give up the connections."""
