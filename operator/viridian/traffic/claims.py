"""Who may have which path of which hosts: of two models that ask for the same, the earlier one. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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
        """Where others may be met."""
        return {(listener[0], listener[1], self.path) for listener in self.listeners}

    def common_host(self, other: "Claim") -> str | None:
        """A host that both ask for, if the same listener leads both there."""
        if self.path != other.path or not any(_meet(mine, its) for mine in self.listeners for its in other.listeners):
            return None
        pairs = ((mine, its) for mine in self.hosts for its in other.hosts)
        return next((_narrower(mine, its) for mine, its in pairs if may_meet(mine, its)), None)


@dataclass
class Claims:
    """The claims of all models, by where they could meet and by host, so that one look is cheap among many."""

    _claims: dict[Key, Claim] = field(default_factory=dict)
    _met: dict[Place, dict[str, set[Key]]] = field(default_factory=dict)

    def put(self, key: Key, claim: Claim | None) -> set[Key]:
        """Note what a model asks for now, None for nothing; returns those in whose way it stood or now stands."""
        before = self._claims.get(key)
        if before == claim:
            return set()
        disturbed = set() if before is None else {other.key for other in self._rivals(before)}
        self._drop(before)
        if claim is not None:
            self._claims[key] = claim
            for place in claim.places:
                for host in claim.hosts:
                    self._met.setdefault(place, {}).setdefault(host, set()).add(key)
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
        return (
            f"spec.traffic: path {claim.path} of {where} belongs to ModelDeployment {earlier.key[1]} in namespace"
            f" {earlier.key[0]}, which is older: choose another path or other host names, or delete that one; this"
            " model then goes on by itself"
        )

    def _rivals(self, claim: Claim) -> Iterator[Claim]:
        keys = {key for place in claim.places for key in self._near(place, claim.hosts)} - {claim.key}
        rivals = (self._claims[key] for key in keys)
        return (rival for rival in rivals if claim.common_host(rival) is not None)

    def _near(self, place: Place, hosts: Iterable[str]) -> Iterator[Key]:
        """Models whose hosts could overlap. Only a wildcard has to look at all of a place."""
        there = self._met.get(place, {})
        for host in hosts:
            names = there if host.startswith("*") else {host, ALL, *_wildcards(host)} & there.keys()
            for name in names:
                yield from there[name]

    def _drop(self, claim: Claim | None) -> None:
        if claim is None:
            return
        del self._claims[claim.key]
        for place in claim.places:
            there = self._met[place]
            for host in set(claim.hosts):
                there[host].discard(claim.key)
                if not there[host]:
                    del there[host]
            if not there:
                del self._met[place]


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
