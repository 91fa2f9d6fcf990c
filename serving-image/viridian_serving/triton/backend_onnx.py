"""Runs an ONNX model in ONNX Runtime. It is copied into the model repository as runner.py; see ``backend_model.py``."""

import os
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else ONNX Runtime reports its use to Microsoft; see our __init__.py
import onnxruntime


class Runner:
    """A session."""

    def __init__(self, config: dict[str, Any], parameters: dict[str, str]) -> None:
        """Load the model.

        Args:
            config: Triton's configuration of the model.
            parameters: Those in it, as strings.
        """
        del config  # the ONNX file says what it takes and gives
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(parameters["threads"])
        options.inter_op_num_threads = 1
        # What fails is told to who asked, and by the API's log.
        options.log_severity_level = 4
        # Threads that spin while they wait eat the CPU quota that Triton and the API need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            parameters["model_file"], options, providers=["CPUExecutionProvider"]
        )
        self.library, self.file = "ONNX Runtime", os.path.basename(parameters["model_file"])
        self.ranks = {node.name: len(node.shape) for node in self._session.get_inputs()}
        self.outputs = [node.name for node in self._session.get_outputs()]

    def run(self, feed: dict[str, Any]) -> list[Any]:
        """Return an array for each of the outputs."""
        return list(self._session.run(self.outputs, feed))
