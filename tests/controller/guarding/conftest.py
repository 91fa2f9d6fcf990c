"""The stage that tests of the ticker share."""

import pytest
from tests.controller.guarding.ticking import Stage


@pytest.fixture
async def stage() -> Stage:
    return Stage()
