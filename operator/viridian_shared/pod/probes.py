"""The paths on a pod's metrics port by which the kubelet asks for its containers."""

from typing import Final

LIVE: Final = "/live"
READY: Final = "/ready"
TRITON_LIVE: Final = "/triton/live"
TRITON_READY: Final = "/triton/ready"
