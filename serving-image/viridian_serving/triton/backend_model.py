"""Answers Triton's requests inside its python backend. It is copied into the model repository as model.py.

What runs the model is the module ``runner`` beside it: ``backend_onnx.py`` or ``backend_native.py``. Both run in the
backend's own process, and import nothing of ours that is not copied beside them: whatever Triton finds there must be
enough.
"""

import json
from typing import Any

import numpy as np
import runner  # beside this file in the repository
import triton_python_backend_utils as pb  # provided by the backend's process
from library_words import words_of  # beside this file, too


class TritonPythonModel:
    """Triton looks for this name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model.

        Args:
            args: Triton's; ``model_config`` is the configuration as JSON.
        """
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        # Whether the first dimension counts instances; they may be joined or not.
        self._rows = bool(parameters["rows"])
        self._runner = runner.Runner(config, parameters)
        self._outputs = self._runner.outputs
        self._strings = {entry["name"] for entry in config["output"] if entry["data_type"] == "TYPE_STRING"}

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer the requests that Triton joined, in one run if possible.

        Args:
            requests: Triton's; with dynamic batching of equal shapes.

        Returns:
            One response for each, in order.
        """
        feeds = [self._feed(request) for request in requests]
        if len(feeds) > 1:
            try:
                return self._together(feeds)
            except Exception:  # noqa: BLE001, S110  whose fault it was shows when each runs by itself, below
                pass
        return [self._alone(feed) for feed in feeds]

    def _feed(self, request: Any) -> dict[str, Any]:  # noqa: ANN401
        feed = {}
        for name, rank in self._runner.ranks.items():
            array = pb.get_input_tensor_by_name(request, name).as_numpy()
            if array.dtype == np.object_:
                array = np.array([item.decode() for item in array.ravel()], dtype=np.object_).reshape(array.shape)
            if rank == 0 or (self._rows and rank == 1):
                array = array.reshape(array.shape[:rank])  # Triton knows no fewer dimensions
            feed[name] = array
        return feed

    def _together(self, feeds: list[dict[str, Any]]) -> list[Any]:
        joined = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
        results = self._run(joined)
        responses = []
        start = 0
        for feed in feeds:
            stop = start + len(next(iter(feed.values())))
            responses.append(self._response([result[start:stop] for result in results]))
            start = stop
        return responses

    def _alone(self, feed: dict[str, Any]) -> Any:  # noqa: ANN401
        try:
            return self._response(self._run(feed))
        except Exception as error:  # noqa: BLE001  the model's failure belongs to this request, not to the process
            return pb.InferenceResponse(error=pb.TritonError(str(error)))

    def _run(self, feed: dict[str, Any]) -> list[Any]:
        try:
            results = self._runner.run(feed)
        except Exception as error:
            raise RuntimeError(
                f"{self._runner.library} failed with {self._runner.file} ({type(error).__name__}: {words_of(error)})"
            ) from error
        if self._rows:
            rows = len(next(iter(feed.values())))
            for name, result in zip(self._outputs, results, strict=True):
                if result.shape[:1] != (rows,):
                    raise ValueError(f"output {name!r} has shape {list(result.shape)} for {rows} instances")
        return list(results)

    def _response(self, results: list[Any]) -> Any:  # noqa: ANN401
        tensors = []
        for name, result in zip(self._outputs, results, strict=True):
            array = result
            if name in self._strings:
                array = np.array([str(item).encode() for item in array.ravel()], dtype=np.object_).reshape(array.shape)
            if array.ndim == (1 if self._rows else 0):
                array = array.reshape((*array.shape, 1))
            tensors.append(pb.Tensor(name, np.ascontiguousarray(array)))
        return pb.InferenceResponse(output_tensors=tensors)
