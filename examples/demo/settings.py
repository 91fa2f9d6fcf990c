"""What the demonstration takes from its environment, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import DemoError

NAMESPACE = "viridian-demo"
NAME = "digits"
BASELINE, GOOD, BAD, WRONG = "v1", "v2", "v3", "v7"
REQUESTS_PER_SECOND = 120
"""Enough for each guard to have its evidence within a step's hold, and little for two cores."""
LONGEST_LOAD = 900
"""Seconds after which the load ends by itself, whatever became of the demonstration."""
CLIENT_TIMEOUT = 15
"""Seconds after which a client gives up: longer than `serving.timeout`, so that the API's answer arrives first."""


@dataclass(frozen=True)
class Settings:
    """Where the cluster is, what to serve, and where results go."""

    kubeconfig: Path
    image: str
    gateway: str
    prometheus: str
    samples: Path
    build: Path
    local: bool = False
    """Whether the cluster is that of `make cluster`, which `dev/env.sh` selects."""

    @property
    def predict_url(self) -> str:
        """The address that clients of the model use."""
        return f"{self.gateway}/{NAME}/predict"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check the environment.

    Raises:
        DemoError: a variable is missing or names a file that does not exist.
    """
    build = Path("build")
    kubeconfig = Path(_required(environment, "KUBECONFIG", "which cluster to use"))
    settings = Settings(
        kubeconfig=kubeconfig,
        image=_required(environment, "VIRIDIAN_DEMO_IMAGE", "the serving image with the digits models in it"),
        gateway=f"http://127.0.0.1:{_port(environment, 'VIRIDIAN_GATEWAY_PORT', 8080)}",
        prometheus=f"http://127.0.0.1:{_port(environment, 'VIRIDIAN_PROMETHEUS_PORT', 9090)}",
        samples=Path(environment.get("VIRIDIAN_DEMO_SAMPLES") or build / "demo" / "samples.json"),
        build=build,
        local=kubeconfig == Path(environment.get("CACHE", "")) / "kubeconfig",
    )
    if not settings.kubeconfig.is_file():
        raise DemoError(f"KUBECONFIG names {settings.kubeconfig}, which does not exist: run `make demo`.")
    if not settings.samples.is_file():
        raise DemoError(
            f"The images to send are missing ({settings.samples}): run `make demo`, or `python -m examples.digits.train"
            f" --models {build / 'demo' / 'models'} --samples {settings.samples}`."
        )
    return settings


def _required(environment: Mapping[str, str], name: str, meaning: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise DemoError(f"{name} is not set; it says {meaning}. `make demo` sets it.")
    return value


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise DemoError(f"{name} is {text!r}, which is not a port: write a number from 1 to 65535, or leave it unset.")
    return int(text)
