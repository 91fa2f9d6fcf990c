"""The Lua of the chart, run as Argo CD runs it: with the base library and table, and `obj` as the only input."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from lupa.lua51 import LuaRuntime, lua_type
from tests.rollout.world import World

SCRIPTS: Final = Path(__file__).parents[2] / "charts" / "viridian" / "files" / "argocd"
ACTIONS: Final = sorted(path.stem for path in (SCRIPTS / "actions").glob("*.lua"))
_WITHHELD: Final = ("string", "math", "io", "os", "debug", "package", "require", "coroutine", "python")
"""What Argo CD does not have, or not without `require`."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Health:
    """What Argo CD shows beside a resource."""

    status: str
    message: str


def resource(world: World) -> Json:
    """The ModelDeployment as Argo CD reads it from the API server."""
    metadata = {
        "name": "iris",
        "namespace": "ml",
        "generation": world.generation,
        "resourceVersion": f"8{world.writes}",
    }
    if world.command:
        metadata["annotations"] = {"viridian.dev/command": world.command}
    return {
        "apiVersion": "viridian.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": metadata,
        "spec": world.spec.manifest(),
        "status": world.status.manifest(),
    }


def health(obj: Json) -> Health:
    """Return what the health check says."""
    return Health(**_run("health", obj))


def enabled(obj: Json) -> set[str]:
    """Return the actions that can be clicked."""
    found = _run("discovery", obj)
    return {name for name, action in found.items() if not action["disabled"]}


def act(action: str, obj: Json) -> Json:
    """Return the resource as an action leaves it; lists are mappings of their positions."""
    return _run(f"actions/{action}", obj)


def as_lua_has_it(obj: Json) -> Json:
    """The same as `act` returns where nothing was changed."""
    return _python(_runtime().table_from(obj, recursive=True))


def _run(script: str, obj: Json) -> Json:
    lua = _runtime()
    lua.globals()["obj"] = lua.table_from(obj, recursive=True)
    return _python(_chunk(script)())


@cache
def _runtime() -> LuaRuntime:
    lua = LuaRuntime(register_eval=False, register_builtins=False)
    lua.execute('debug.setmetatable("", nil)')  # else texts have the functions of `string` as methods
    for name in _WITHHELD:
        lua.globals()[name] = None
    return lua


@cache
def _chunk(script: str) -> Callable[[], Any]:
    return _runtime().compile((SCRIPTS / f"{script}.lua").read_text())


def _python(value: Any) -> Any:
    if lua_type(value) != "table":
        return value
    pairs: Mapping[Any, Any] = value
    return {key: _python(each) for key, each in pairs.items()}
