"""The processes of containers, seen from their node: a container cannot kill its own first process, and a node can."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    command: str


def kill(pod: dict[str, Any], container: str, program: str = "") -> str:
    """SIGKILL a process of a container.

    Args:
        pod: The pod, as read just now.
        container: The container's name.
        program: A word of its command line; the container's first process if it is left out.

    Returns:
        The command line of what was killed.
    """
    node = pod["spec"]["nodeName"]
    first = _first_process(node, pod, container)
    family = list(_family(node, first))
    found = [process for process in family if program in process.command] if program else family[:1]
    assert found, f"no process of {container} runs {program or 'at all'}: {[one.command for one in family]}"
    victim = found[-1]  # a shell may name a program that it starts
    _on(node, "kill", "-KILL", str(victim.pid))
    return victim.command


def kill_program(program: str) -> None:
    """SIGKILL every process of the first node whose command line begins with this program."""
    node = os.environ["NODE"]
    found = [one for one in _processes(node) if one.command.split()[0].rpartition("/")[2] == program]
    assert found, f"no {program} runs on {node}"
    _on(node, "kill", "-KILL", *(str(one.pid) for one in found))


def _first_process(node: str, pod: dict[str, Any], container: str) -> int:
    statuses = pod["status"]["containerStatuses"]
    identity = next(one["containerID"] for one in statuses if one["name"] == container).removeprefix("containerd://")
    tasks = _on(node, "ctr", "--namespace=k8s.io", "tasks", "list").splitlines()
    pids = [int(line.split()[1]) for line in tasks if line.startswith(identity)]
    assert pids, f"container {container} of {pod['metadata']['name']} does not run"
    return pids[0]


def _family(node: str, first: int) -> Iterator[_Process]:
    """A process and its descendants, parents first."""
    processes = _processes(node)
    generation = [process for process in processes if process.pid == first]
    while generation:
        yield from generation
        parents = {process.pid for process in generation}
        generation = [process for process in processes if process.parent in parents]


def _processes(node: str) -> list[_Process]:
    lines = (line.split(maxsplit=2) for line in _on(node, "ps", "-e", "-o", "pid=,ppid=,args=").splitlines())
    return [_Process(int(pid), int(parent), command) for pid, parent, command in lines]


def _on(node: str, *command: str) -> str:
    """Run a command on a node: kind's nodes are containers that have the nodes' names."""
    done = subprocess.run(
        ["docker", "exec", node, *command],
        capture_output=True,
        text=True,
        timeout=_ANSWER_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} on {node}: {done.stderr.strip() or done.returncode}")
    return done.stdout
