"""Frames between the API and the process that runs ``preprocess.py``: four bytes with the length, then MessagePack.

The last frame of a connection has no length: it says with which code the process ended, and comes from who started it.
"""

import struct
from typing import BinaryIO, Final

import msgspec

LENGTH: Final = struct.Struct("<I")
LAST: Final = 0xFFFF_FFFF
"""In place of the length."""
CODE: Final = struct.Struct("<i")
"""What follows then: the exit code, -N when signal N ended the process."""


def framed(message: object) -> bytes:
    """Write a frame."""
    content = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(content)) + content


def last_frame(code: int) -> bytes:
    """Write the last frame."""
    return LENGTH.pack(LAST) + CODE.pack(code)


def read_frame(stream: BinaryIO) -> bytes | None:
    """Read a frame; gives None at the end."""
    head = stream.read(LENGTH.size)
    return stream.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else None
