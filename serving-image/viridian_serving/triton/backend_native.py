"""Runs a native model. It is copied into the model repository as runner.py; see ``backend_model.py``."""

from typing import Any

from native_model import LIBRARIES, NativeModel  # beside this file in the repository


class Runner:
    """A model in its own library."""

    def __init__(self, config: dict[str, Any], parameters: dict[str, str]) -> None:
        """Load the model.

        Args:
            config: Triton's configuration of the model.
            parameters: Those in it, as strings.
        """
        self._model = NativeModel(parameters["model_folder"], parameters["format"])
        self.library, self.file = LIBRARIES[parameters["format"]], self._model.file
        self.ranks = {entry["name"]: 1 for entry in config["input"]}
        self.outputs = [entry["name"] for entry in config["output"]]

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """Return an array for each of the outputs."""
        return list(self._model.answer(feed))
