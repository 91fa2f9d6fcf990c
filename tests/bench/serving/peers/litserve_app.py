"""LitServe with an API of one's own: `litserve_app.py PORT default`, `quiet`, or `batching`."""

import sys

import litserve
from classifier import Classifier


class Iris(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self._classify = Classifier()

    def decode_request(self, request: dict) -> list[float]:
        return request["X"]

    def predict(self, flower: list[float]) -> dict[str, object]:
        return self._classify.predictions([flower])[0]

    def encode_response(self, output: dict[str, object]) -> dict[str, object]:
        return output


class Batching(Iris):
    def batch(self, inputs: list[list[float]]) -> list[list[float]]:
        return inputs

    def predict(self, flowers: list[list[float]]) -> list[dict[str, object]]:
        return self._classify.predictions(flowers)

    def unbatch(self, output: list[dict[str, object]]) -> list[dict[str, object]]:
        return output


if __name__ == "__main__":
    port, how = int(sys.argv[1]), sys.argv[2]
    here = {"host": "127.0.0.1", "port": port, "generate_client_file": False}
    if how == "default":
        litserve.LitServer(Iris(), accelerator="cpu").run(**here)
    else:
        batching = how == "batching"
        iris = Batching(max_batch_size=32, batch_timeout=0.005) if batching else Iris()
        # Two workers could not share a batch.
        server = litserve.LitServer(iris, accelerator="cpu", fast_queue=True, workers_per_device=1 if batching else 2)
        server.run(**here, log_level="warning", access_log=False)
