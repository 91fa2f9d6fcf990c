"""What a new version refuses that clients of the old one may send, by the answers of both to /schema. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

Feature = Mapping[str, Any]


def refusals(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what is refused now, one clause for each feature and reason.

    Args:
        before: What the version that serves answers to /schema.
        after: What the new one answers.
    """
    old = {feature["name"]: feature for feature in before["features"]}
    new = {feature["name"]: feature for feature in after["features"]}
    return [
        *(f"{name}, which is an input no more" for name in old if name not in new),
        *(f"requests without {name}, which is a new input" for name in new if name not in old),
        *(clause for name in old if name in new for clause in _narrower(name, old[name], new[name])),
    ]


def _narrower(name: str, old: Feature, new: Feature) -> Iterator[str]:
    if old["type"] != new["type"] and (old["type"], new["type"]) != ("integer", "number"):
        yield f"{name} as {old['type']}, and takes {new['type']}"
        return
    if list(old["shape"]) != list(new["shape"]):
        yield f"{name} of shape {old['shape']}, and takes {new['shape']}"
    if new.get("min") is not None and (old.get("min") is None or new["min"] > old["min"]):
        yield f"{name} below {new['min']:g}"
    if new.get("max") is not None and (old.get("max") is None or new["max"] < old["max"]):
        yield f"{name} above {new['max']:g}"
    if new.get("max_length") is not None and (old.get("max_length") is None or new["max_length"] < old["max_length"]):
        yield f"{name} longer than {new['max_length']} characters"
    if new.get("categories") is not None:
        gone = [value for value in old.get("categories") or [] if value not in new["categories"]]
        if gone or old.get("categories") is None:
            yield f"{name} {', '.join(map(repr, gone)) if gone else 'outside its categories'}"
    if old.get("nullable") and not new.get("nullable"):
        yield f"{name} as null"
