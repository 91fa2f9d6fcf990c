"""The model in the process of a Python server: what each of them calls, with the same options for all."""

import os

import numpy as np
import onnxruntime


class Classifier:
    """An ONNX classifier of rows of numbers."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["IRIS_MODEL"], options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, rows: "list[list[float]] | np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
        """Labels and probabilities, a row for each."""
        labels, probabilities = self._session.run(None, {"X": np.asarray(rows, dtype=np.float32)})
        return labels, probabilities

    def predictions(self, rows: "list[list[float]] | np.ndarray") -> list[dict[str, object]]:
        """The same as JSON would have it."""
        labels, probabilities = self(rows)
        return [
            {"prediction": label, "probabilities": row}
            for label, row in zip(labels.tolist(), probabilities.tolist(), strict=True)
        ]
