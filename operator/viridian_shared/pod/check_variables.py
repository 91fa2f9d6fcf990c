"""The environment variables that only the container of a check has, or a test suite of the user in its place."""

from typing import Final

CHECK: Final = "VIRIDIAN_CHECK"
"""What the serving image is to check, as JSON."""
CANDIDATE_URL: Final = "VIRIDIAN_CANDIDATE_URL"
STABLE_URL: Final = "VIRIDIAN_STABLE_URL"
"""Not set where no version serves."""
TRAFFIC: Final = "VIRIDIAN_TRAFFIC"
"""What the container that sends the requests of a drill is to do, as JSON."""
