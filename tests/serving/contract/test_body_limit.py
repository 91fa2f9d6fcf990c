"""How large a body may be where nobody has said it."""

import pytest

from viridian_serving.codec.features import RequestSchema
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.body_limit import body_limit
from viridian_serving.settings.config import Settings

_GIVEN = dict.fromkeys(("namespace", "model", "model_version", "model_uri", "revision", "pod_uid"), "x")


@pytest.mark.parametrize(
    ("dims", "given", "limit"),
    [
        ((4,), {}, 16 << 20),
        ((3, 640, 640), {}, 26 * 3 * 640 * 640 + (64 << 10)),
        ((3, -1, -1), {}, 16 << 20),
        ((3, 8000, 8000), {}, 256 << 20),
        ((3, 640, 640), {"max_body": 1000}, 1000),
    ],
    ids=["small", "an image", "of any size", "no end", "said"],
)
def test_one_instance_fits(dims: tuple[int, ...], given: dict[str, int], limit: int) -> None:
    requests = RequestSchema.of(ModelSchema((Tensor("x", DataType.FP32, dims),), (), 8))
    assert body_limit(Settings(**_GIVEN, **given, color="blue"), requests) == limit
