"""The one grid of latency bounds that serving pods count by and guards read.

One grid for all models makes their counters comparable across revisions. The operator renders it into every revision,
so that two of them can be compared bucket by bucket. A pod that runs by hand takes it from here.
"""

from typing import Final

GRID: Final[tuple[float, ...]] = (
    *(0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.0075),
    *(0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.075),
    *(0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75),
    *(1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5),
    *(10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
"""Upper bounds of the histogram's buckets in seconds, ascending, without +Inf."""
