"""Sizes to try for the dimensions that a model leaves open, since many models take no image and no sound of size 1."""

from collections.abc import Iterator, Sequence
from itertools import chain
from math import prod
from typing import Final

from viridian_serving.codec.tensors import DYNAMIC

SIZES: Final = (1, 2, 3, 4, 8, 16, 32, 64, 128, 224, 256, 320, 512, 640, 1024, 4096, 16000)
"""What images, windows of sound, and texts often have."""
_MOST_ELEMENTS: Final = 1 << 21
"""Elements of all inputs together that are tried: an image of 640 x 640 has more than half of it."""


def shapes_to_try(
    dims: Sequence[Sequence[int]], names: Sequence[Sequence[str]] = (), rows: int = 1
) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Give shapes that fit the inputs, the smallest first.

    Args:
        dims: Of each input; DYNAMIC where it is open.
        names: Of the open dimensions of each input; those of an equal name have an equal size. "" has none.
        rows: Size of the first dimension where it is open.

    Yields:
        A shape for every input.
    """
    fixed = sum(prod(size for size in shape if size != DYNAMIC) for shape in dims)
    seen = set()
    for shapes in _shapes(dims, names, rows):
        elements = sum(map(prod, shapes))
        if shapes not in seen and elements <= max(_MOST_ELEMENTS, rows * fixed):
            seen.add(shapes)
            yield shapes


def _shapes(
    dims: Sequence[Sequence[int]], names: Sequence[Sequence[str]], rows: int
) -> Iterator[tuple[tuple[int, ...], ...]]:
    keys = _keys(dims, names)
    distinct = list(dict.fromkeys(chain.from_iterable(keys)))
    first: set[object] = {
        shape_keys[0] for shape, shape_keys in zip(dims, keys, strict=True) if shape[:1] == (DYNAMIC,)
    }
    for size in SIZES:
        others = dict.fromkeys(distinct, size) | dict.fromkeys(first, rows)
        yield _filled(dims, keys, others)
        if rows == 1:
            yield _filled(dims, keys, dict.fromkeys(distinct, size))
        for key in distinct:
            if key not in first:
                yield _filled(dims, keys, dict.fromkeys(distinct, 1) | dict.fromkeys(first, rows) | {key: size})


def _keys(dims: Sequence[Sequence[int]], names: Sequence[Sequence[str]]) -> list[list[object]]:
    """Something for each open dimension that is equal where sizes are."""
    keys: list[list[object]] = []
    for position, shape in enumerate(dims):
        count = sum(size == DYNAMIC for size in shape)
        named = names[position] if position < len(names) and len(names[position]) == count else [""] * count
        keys.append([name or (position, place) for place, name in enumerate(named)])
    return keys


def _filled(
    dims: Sequence[Sequence[int]], keys: Sequence[Sequence[object]], sizes: dict[object, int]
) -> tuple[tuple[int, ...], ...]:
    shapes = []
    for shape, shape_keys in zip(dims, keys, strict=True):
        ours = iter(shape_keys)
        shapes.append(tuple(sizes[next(ours)] if size == DYNAMIC else size for size in shape))
    return tuple(shapes)
