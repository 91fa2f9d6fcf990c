"""KServe's model server with one's own model; `--workers` and its other options are read by KServe itself."""

from functools import cached_property

from classifier import Classifier
from kserve import Model, ModelServer


class Iris(Model):
    @cached_property
    def classify(self) -> Classifier:
        # In the worker's own process: the model is pickled on its way there, and a session cannot be.
        return Classifier()

    async def predict(self, payload: dict, headers: object = None, response_headers: object = None) -> dict:
        return {"predictions": self.classify.predictions(payload["instances"])}


if __name__ == "__main__":
    iris = Iris("iris")
    iris.load()
    ModelServer().start([iris])
