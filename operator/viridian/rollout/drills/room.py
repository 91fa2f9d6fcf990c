"""Whether a namespace's quotas have room for a twin: its pods, of each color one, and that of the requests."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from viridian.api.quantities import parse_quantity

_TWIN: Final = 2
_NAMES: Final = {"cpu": ("requests", "cpu"), "memory": ("requests", "memory")} | {
    f"{part}.{what}": (part, what) for part in ("requests", "limits") for what in ("cpu", "memory")
}
"""What a quota calls what containers have."""


def missing_room(quotas: Iterable[Mapping[str, Any]], template: Mapping[str, Any]) -> str:
    """Return which quota has no room for a twin, as a sentence without its full stop; empty where all have.

    Args:
        quotas: ResourceQuotas of the namespace. One for some kinds of pods alone is left out.
        template: the pods' of stable's revision.
    """
    wanted = _wanted(template)
    for quota in quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        hard, used = status.get("hard") or spec.get("hard") or {}, status.get("used") or {}
        for name, need in wanted.items():
            if name not in hard:
                continue
            free = parse_quantity(hard[name]) - parse_quantity(used.get(name, "0"))
            if need > free:
                return (
                    f"ResourceQuota {quota['metadata']['name']} has no room for a twin: it needs {need.normalize():f}"
                    f" of {name}, and {max(free, Decimal(0)).normalize():f} is left"
                )
    return ""


def _wanted(template: Mapping[str, Any]) -> dict[str, Decimal]:
    containers = template["spec"]["containers"]
    api = next(each for each in containers if each["name"] == "api")
    wanted = {"pods": Decimal(_TWIN + 1)}
    for name, (part, what) in _NAMES.items():
        twin = sum((_amount(each, part, what) for each in containers), Decimal(0))
        wanted[name] = _TWIN * twin + _amount(api, part, what)
    return wanted


def _amount(container: Mapping[str, Any], part: str, what: str) -> Decimal:
    """What a container has; without a request, its limit is one."""
    resources = container.get("resources") or {}
    found = (resources.get(part) or {}).get(what)
    if found is None and part == "requests":
        found = (resources.get("limits") or {}).get(what)
    return parse_quantity(found) if found is not None else Decimal(0)
