"""Columns of the sample that have another type than in the training: found by asking the original."""

import re
from collections.abc import Iterator
from typing import Final

from viridian_import.learn.typical import typical_row
from viridian_import.messages import Column
from viridian_import.original.process import OriginalModel
from viridian_import.sample.table import Table
from viridian_serving.codec.tensors import Kind

_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d+,\d+")


def wrong_types(original: OriginalModel, features: Table) -> Iterator[str]:
    """Yield a sentence for each column with which the original answers once it has another type.

    Args:
        original: It fails every row.
        features: Of the sample.
    """
    middle = typical_row(features)
    row = Table(tuple(Column(each.name, each.kind, [middle[each.name]]) for each in features.columns))
    for column in row.columns:
        value = column.values[0]
        text = column.kind is Kind.STRING
        other = Column(column.name, Kind.NUMBER, [1.0]) if text else Column(column.name, Kind.STRING, [str(value)])
        changed = Table(tuple(other if each.name == column.name else each for each in row.columns))
        if original.answer(changed).refused:
            continue
        if text and _DECIMAL_COMMA.fullmatch(str(value)):
            yield f"column {column.name!r} holds numbers with a comma, such as {value!r}; write them with a point"
        elif text:
            yield (
                f"column {column.name!r} holds texts such as {value!r}, and the model takes numbers there; write them "
                f"as in the training, or, of yes and no, --dtype {column.name}=boolean"
            )
        else:
            yield f"the model takes texts in column {column.name!r}, which holds numbers; --dtype {column.name}=string"
