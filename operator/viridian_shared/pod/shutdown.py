"""How long a pod takes to end after SIGTERM."""

from datetime import timedelta
from typing import Final

DRAIN_DELAY: Final = timedelta(seconds=3)
"""How long a terminating pod still accepts requests, so that every proxy has heard that it goes."""
API_END: Final = timedelta(seconds=5)
"""What the API needs after that, beyond the longest request."""
TRITON_END: Final = timedelta(seconds=12)
"""What Triton needs after the API."""
SHUTDOWN: Final = DRAIN_DELAY + API_END + TRITON_END
"""What API and Triton need to end one after the other, beyond the longest request."""
