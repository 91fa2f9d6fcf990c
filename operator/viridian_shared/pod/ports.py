"""The TCP ports of a pod's API."""

from typing import Final

SPLIT: Final = 8000
"""HTTP from the color Services; trusts the header that the route sets."""
STABLE: Final = 8080
"""HTTP from the Service NAME; trusts only that another pod asks for its fallback."""
GRPC: Final = 8001
"""gRPC from every Service; past the route, so always a direct call."""
METRICS: Final = 9090
"""Metrics and probes; no client's."""
