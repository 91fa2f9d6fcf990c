"""The API server and the children that tests of reconciling share."""

import pytest
from tests.controller.fakes import FakeApi
from tests.controller.reconciling.seeing import BLUE, GREEN, IRIS
from tests.workloads.children import Rendered

from viridian.kube.resources import MODEL_DEPLOYMENT


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def made(api: FakeApi) -> Rendered:
    """A model that serves from blue, and its children."""
    api.put(MODEL_DEPLOYMENT, IRIS.manifest)
    return api.put_children("iris", IRIS.owner, {BLUE: 100, GREEN: 0})
