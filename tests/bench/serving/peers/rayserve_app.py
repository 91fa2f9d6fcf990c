"""Ray Serve with one replica, and Ray for it alone: `rayserve_app.py PORT default`, `quiet`, or `batching`."""

import sys
from pathlib import Path

import ray
from classifier import Classifier
from ray import serve
from starlette.requests import Request

_OBJECTS = 100 * 1024 * 1024
"""Bytes of memory for objects that processes share. There are none here, and Ray would take a third of the machine."""
_QUIET = {"enable_access_log": False, "log_level": "WARNING"}


class Iris:
    def __init__(self) -> None:
        self._classify = Classifier()

    async def __call__(self, request: Request) -> dict[str, object]:
        return self._classify.predictions([(await request.json())["X"]])[0]


class Batching(Iris):
    async def __call__(self, request: Request) -> dict[str, object]:
        return await self.together((await request.json())["X"])

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.005)
    async def together(self, flowers: list[list[float]]) -> list[dict[str, object]]:
        return self._classify.predictions(flowers)


if __name__ == "__main__":
    port, how = int(sys.argv[1]), sys.argv[2]
    ray.init(include_dashboard=False, object_store_memory=_OBJECTS, _temp_dir=str(Path("ray").absolute()))
    http = {"host": "127.0.0.1", "port": port}
    if how == "default":
        serve.start(http_options=http)
        iris = serve.deployment(Iris)
    else:
        serve.start(http_options=http, logging_config=_QUIET)
        # More at a time than the five that are the default.
        of = Batching if how == "batching" else Iris
        iris = serve.deployment(of, max_ongoing_requests=128, logging_config=_QUIET)
    serve.run(iris.bind(), route_prefix="/predict", blocking=True)
