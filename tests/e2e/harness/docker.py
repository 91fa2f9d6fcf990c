"""The Docker Engine, for what is tried without a cluster."""

import subprocess


def docker(*arguments: str) -> str:
    """Run a command; returns both outputs."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr
