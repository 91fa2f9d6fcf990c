"""What tests of the guards' part of the controller share."""

import pytest
from tests.controller.counters import INTERVAL
from tests.controller.guarding.ticking import Stage

from viridian.controller.guarding.monitor import GuardMonitor


@pytest.fixture
async def stage() -> Stage:
    return Stage()


@pytest.fixture
def monitor() -> GuardMonitor:
    return GuardMonitor(INTERVAL)
