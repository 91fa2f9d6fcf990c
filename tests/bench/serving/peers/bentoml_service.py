"""Services of BentoML: as it comes, quiet in two processes, and with its adaptive batching."""

import bentoml
from classifier import Classifier

_QUIET = {"logging": {"access": {"enabled": False}}, "metrics": {"enabled": False}}


class _Iris:
    def __init__(self) -> None:
        self._classify = Classifier()


@bentoml.service(name="iris")
class Default(_Iris):
    @bentoml.api
    async def predict(self, flowers: list[list[float]]) -> list[dict[str, object]]:
        return self._classify.predictions(flowers)


@bentoml.service(name="iris", workers=2, **_QUIET)
class Quiet(_Iris):
    @bentoml.api
    async def predict(self, flowers: list[list[float]]) -> list[dict[str, object]]:
        return self._classify.predictions(flowers)


@bentoml.service(name="iris", **_QUIET)
class Batching(_Iris):
    @bentoml.api(batchable=True)
    async def predict(self, flowers: list[list[float]]) -> list[dict[str, object]]:
        return self._classify.predictions(flowers)
