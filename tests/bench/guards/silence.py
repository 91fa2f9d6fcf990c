"""A candidate that answers nothing: how soon that is blamed, and how often chance is; by the code of the operator."""

from __future__ import annotations

import numpy as np
from tests.bench.guards.traffic import SCRAPE, WEIGHT, Cell

from viridian.guards import Config, RequestCounts, Verdict
from viridian.guards.series import Traffic
from viridian.guards.silence import SilentPeriod, Tick, check_liveness
from viridian.guards.state import Reach

GOOD_FOR = 10.0
"""Minutes that a candidate answers before it is silent."""

_CONFIG = Config(error_rate_max=0.10, worse_than_stable=1.5)
_PODS = frozenset({"c0", "c1"})


def rolled_back_after(cell: Cell, rng: np.random.Generator) -> int | None:
    """Return the candidate's requests, answered or not, from the silence on (or the beginning) until it is blamed.

    Args:
        cell: How much traffic there is; a candidate that is not healthy is silent after some minutes.
        rng: Chance.
    """
    reach, period, since = Reach(), None, 0
    for scrape in range(round(60 * cell.minutes / SCRAPE)):
        silent = not cell.healthy and scrape * SCRAPE >= 60 * GOOD_FOR
        per_scrape = cell.requests_per_minute * SCRAPE / 60
        arrived, other = int(rng.poisson(per_scrape * WEIGHT)), int(rng.poisson(per_scrape * (1 - WEIGHT)))
        since += arrived if silent or cell.healthy else 0
        mine, theirs = (
            Traffic(counts, counts, answered=counts.requests)
            for counts in (RequestCounts(0 if silent else arrived), RequestCounts(other))
        )
        tick = Tick(scrape * SCRAPE, WEIGHT, scrape == 0, _PODS, mine, theirs)
        reach, period, judgement = _checked(reach, period, tick)
        if judgement:
            return since
    return None


def _checked(reach: Reach, period: SilentPeriod | None, tick: Tick) -> tuple[Reach, SilentPeriod | None, bool]:
    reach, period, judgement = check_liveness(_CONFIG, reach, period, tick)
    return reach, period, judgement is not None and judgement.verdict is Verdict.BREACH
