"""Where a pod's containers find what the operator mounts."""

from typing import Final

MODEL: Final = "/mnt/model"
"""The claim of `pvc://`, or the volume in which `viridian-fetch` puts what it fetched."""
MODEL_CREDENTIALS: Final = "/etc/viridian/model-credentials"
"""The Secret for `https://`: a file for each key."""
LIVE_SETTINGS: Final = "/etc/viridian/serving"
"""The ConfigMap of what may change while the pod runs."""
LIVE_SETTINGS_FILE: Final = "serving.json"
"""Its one file."""
LOG_SECRET: Final = "/etc/viridian/log-secret"  # noqa: S105  a folder
"""The Secret of the prediction log: a file for each key."""
API_KEYS: Final = "/etc/viridian/api-keys"
"""The Secret with the API keys of clients: a file for each."""
RUN: Final = "/run/viridian"
"""What the containers of a pod write for each other."""
