"""From the columns of a message to what pandas would have read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from viridian_import.messages import Column
from viridian_serving.codec.tensors import Kind


def frame_of(columns: Sequence[Column]) -> pd.DataFrame:
    """Make a data frame.

    Args:
        columns: Of equal length.

    Returns:
        The frame, with the types that pandas.read_csv() gives.
    """
    return pd.DataFrame({column.name: _series(column) for column in columns})


def _series(column: Column) -> Any:  # noqa: ANN401  pandas has no types here
    whole = None not in column.values
    if column.kind is Kind.NUMBER or (column.kind is Kind.INTEGER and not whole):
        return pd.Series([np.nan if value is None else float(value) for value in column.values], dtype="float64")
    if column.kind is Kind.INTEGER:
        return pd.Series(column.values, dtype="int64")
    if column.kind is Kind.BOOLEAN:
        return pd.Series(column.values, dtype="bool" if whole else "object")
    # As read_csv() has them: str in pandas 3, also where a column has no value at all; object before.
    return pd.Series([np.nan if value is None else value for value in column.values], dtype=pd.Series(["a"]).dtype)
