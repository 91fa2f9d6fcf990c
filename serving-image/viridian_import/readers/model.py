"""What every reader makes: a model that describes itself, answers rows, and becomes ONNX."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from viridian_import.messages import Description, Plan
from viridian_serving.codec.tensors import Kind

if TYPE_CHECKING:
    import pandas as pd


class Original(Protocol):
    """A model as its own library runs it."""

    @property
    def description(self) -> Description:
        """What it is."""

    def answer(self, frame: "pd.DataFrame") -> dict[str, list[Any]]:
        """Answer rows.

        Args:
            frame: Has the features as columns, in their order.

        Returns:
            For each output one value, or list of values, for each row.
        """

    def convert(self, plan: Plan, kinds: Mapping[str, Kind], row: "pd.DataFrame", file: str) -> None:
        """Write the model as ONNX.

        Args:
            plan: How.
            kinds: Of the features, in their order.
            row: One that the model answers.
            file: Where to.

        Raises:
            ImportFault: It cannot be converted this way.
        """

    def explain(self, frame: "pd.DataFrame") -> list[str]:
        """Return why an ONNX file may answer these rows otherwise, as sentences."""
