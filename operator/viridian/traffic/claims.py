"""Who may have which path of which hosts: of two models that ask for the same, the earlier one. Pure.

A longer path takes its requests from a shorter one. Within a namespace that is its owner's affair; between two it is a
conflict as the same path is, whichever of them is longer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

Key = tuple[str, str]
"""Namespace and name of a ModelDeployment."""
Place = tuple[str, str, str]
"""Namespace and name of a Gateway, and the path."""
ALL = "*"
"""The host of a model that names none: all that the listener has."""


@dataclass(frozen=True)
class Claim:
    """What a model asks for: a path of some hosts, at some listeners (an empty one means all of its Gateway)."""

    key: Key
    created: str
    path: str
    hosts: tuple[str, ...]
    listeners: frozenset[tuple[str, str, str]]

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> "Claim | None":
        """The claim of a ModelDeployment; None for one that has no route, or is being deleted."""
        metadata, traffic = manifest["metadata"], (manifest.get("spec") or {}).get("traffic") or {}
        parents = traffic.get("parentRefs") or []
        if not parents or "deletionTimestamp" in metadata:
            return None
        return cls(
            key=(metadata["namespace"], metadata["name"]),
            created=metadata.get("creationTimestamp", ""),
            path=traffic.get("path", "/"),
            hosts=tuple(traffic.get("hostnames") or [ALL]),
            listeners=frozenset(
                (parent.get("namespace") or metadata["namespace"], parent["name"], parent.get("sectionName") or "")
                for parent in parents
            ),
        )

    @property
    def age(self) -> tuple[str, Key]:
        """The earlier one is lower."""
        return self.created, self.key

    @property
    def places(self) -> set[Place]:
        """Where it stands."""
        return {(listener[0], listener[1], self.path) for listener in self.listeners}

    @property
    def above(self) -> set[Place]:
        """Where it stands, and where those stand that it would take requests from."""
        return {(listener[0], listener[1], path) for listener in self.listeners for path in _prefixes(self.path)}

    def common_host(self, other: "Claim") -> str | None:
        """A host of which both ask for the same, if the same listener leads both there."""
        if not self._overlaps(other) or not any(_meet(mine, its) for mine in self.listeners for its in other.listeners):
            return None
        pairs = ((mine, its) for mine in self.hosts for its in other.hosts)
        return next((_narrower(mine, its) for mine, its in pairs if may_meet(mine, its)), None)

    def _overlaps(self, other: "Claim") -> bool:
        if self.key[0] == other.key[0]:
            return self.path == other.path
        return self.path in _prefixes(other.path) or other.path in _prefixes(self.path)


_Index = dict[Place, dict[str, set[Key]]]
"""Models by place and by host."""


@dataclass
class Claims:
    """The claims of all models, by where they could meet and by host, so that one look is cheap among many."""

    _claims: dict[Key, Claim] = field(default_factory=dict)
    _at: _Index = field(default_factory=dict)
    _below: _Index = field(default_factory=dict)

    def put(self, key: Key, claim: Claim | None) -> set[Key]:
        """Note what a model asks for now, None for nothing; returns those in whose way it stood or now stands."""
        before = self._claims.get(key)
        if before == claim:
            return set()
        disturbed = set() if before is None else {other.key for other in self._rivals(before)}
        self._drop(before)
        if claim is not None:
            self._claims[key] = claim
            _enter(self._at, claim, claim.places)
            _enter(self._below, claim, claim.above)
            disturbed |= {other.key for other in self._rivals(claim)}
        return disturbed

    def taken(self, key: Key) -> str | None:
        """A sentence about the earliest model that has what this one asks for, or None."""
        claim = self._claims.get(key)
        if claim is None:
            return None
        earlier = min((other for other in self._rivals(claim) if other.age < claim.age), key=_age, default=None)
        if earlier is None:
            return None
        host = claim.common_host(earlier)
        where = "all hosts of the listener" if host == ALL else f"host {host}"
        which = "belongs to" if claim.path == earlier.path else f"overlaps {earlier.path}, which belongs to"
        return (
            f"spec.traffic: path {claim.path} of {where} {which} ModelDeployment {earlier.key[1]} in namespace"
            f" {earlier.key[0]}, which is older: choose another path or other host names, or delete that one; this"
            " model then continues without further action"
        )

    def _rivals(self, claim: Claim) -> Iterator[Claim]:
        near = [_near(self._at, place, claim.hosts) for place in claim.above]
        near += [_near(self._below, place, claim.hosts) for place in claim.places]
        rivals = (self._claims[key] for key in {*chain.from_iterable(near)} - {claim.key})
        return (rival for rival in rivals if claim.common_host(rival) is not None)

    def _drop(self, claim: Claim | None) -> None:
        if claim is None:
            return
        del self._claims[claim.key]
        _leave(self._at, claim, claim.places)
        _leave(self._below, claim, claim.above)


def _enter(index: _Index, claim: Claim, places: Iterable[Place]) -> None:
    for place in places:
        for host in claim.hosts:
            index.setdefault(place, {}).setdefault(host, set()).add(claim.key)


def _leave(index: _Index, claim: Claim, places: Iterable[Place]) -> None:
    for place in places:
        there = index[place]
        for host in set(claim.hosts):
            there[host].discard(claim.key)
            if not there[host]:
                del there[host]
        if not there:
            del index[place]


def _near(index: _Index, place: Place, hosts: Iterable[str]) -> Iterator[Key]:
    """Models whose hosts could overlap. Only a wildcard has to look at all of a place."""
    there = index.get(place, {})
    for host in hosts:
        names = there if host.startswith("*") else {host, ALL, *_wildcards(host)} & there.keys()
        for name in names:
            yield from there[name]


def _prefixes(path: str) -> list[str]:
    """A path and all that are matched before it is: /a/b, /a and /."""
    parts = path.strip("/").split("/")
    return ["/", *("/" + "/".join(parts[: end + 1]) for end in range(len(parts)) if parts[0])]


def _age(claim: Claim) -> tuple[str, Key]:
    return claim.age


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return one[:2] == other[:2] and (one[2] == other[2] or not one[2] or not other[2])


def _wildcards(host: str) -> Iterator[str]:
    """The wildcards that a host falls under: *.example.com and *.com for a.example.com."""
    labels = host.split(".")
    return (".".join(("*", *labels[start:])) for start in range(1, len(labels)))


def may_meet(one: str, other: str) -> bool:
    """Whether two host names have a host in common; each may be a wildcard, or `*` for all."""
    return ALL in {one, other} or one == other or _covers(one, other) or _covers(other, one)


def _covers(wildcard: str, host: str) -> bool:
    return wildcard.startswith("*.") and host.endswith(wildcard[1:])


def _narrower(one: str, other: str) -> str:
    return other if one == ALL or _covers(one, other) else one
