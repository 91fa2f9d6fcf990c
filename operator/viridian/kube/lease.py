"""Who leads, by a Lease: what was read and the time go in, the Lease to be written comes out. Pure.

The clocks of other machines are never asked. A lease is over when it has not changed for its whole duration on our own
monotonic clock; the times written into it are for people.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Lease = dict[str, Any]


@dataclass(frozen=True)
class Timing:
    """Seconds; a leader gives up at `deadline`, and others may follow it at `duration`, counted from its last renewal.

    `retry` is the time between two looks at the Lease, `request` the longest time that one request may take.
    """

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0
    request: float = 1.5


TIMING = Timing()
"""What this operator promises."""


@dataclass(frozen=True)
class ObservedLease:
    """A Lease as it was read last (None: there is none), and since when it looks like that, on our own clock."""

    lease: Lease | None = None
    since: float = 0.0

    def see(self, lease: Lease | None, now: float) -> "ObservedLease":
        """Look again: the wait for an end begins anew with every change."""
        changed = self.lease is None or lease is None or _heartbeat(lease) != _heartbeat(self.lease)
        return ObservedLease(lease, now if changed else self.since)


def claim(
    observed: ObservedLease,
    place: tuple[str, str],
    identity: str,
    now: float,
    wall: datetime,
    timing: Timing,
    *,
    resume: bool,
) -> Lease | None:
    """The Lease as we have to write it to lead; None while somebody else does.

    Args:
        observed: the Lease as we see it.
        place: its namespace and name, for when there is none.
        identity: our own name, which no other process that runs has.
        now: our monotonic clock, in seconds.
        wall: the time of day.
        timing: what to promise.
        resume: go on in a term in which the Lease names us still, since whoever began it under our name is dead. For a
            process that has lost a term and lives it is False: what it sent in that one may be under way.
    """
    lease: Lease = observed.lease or {"metadata": {"namespace": place[0], "name": place[1]}}
    spec = lease.get("spec") or {}
    holder = spec.get("holderIdentity")
    if holder and holder != identity and now - observed.since < spec.get("leaseDurationSeconds", timing.duration):
        return None
    begins = not (resume and holder == identity)
    taken = {
        "holderIdentity": identity,
        "leaseDurationSeconds": int(timing.duration),
        "acquireTime": _stamp(wall),
        "renewTime": _stamp(wall),
        "leaseTransitions": spec.get("leaseTransitions", 0) + begins,
    }
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **lease, "spec": {**spec, **taken}}


def renewal(lease: Lease, wall: datetime) -> Lease:
    """Our own Lease, held on to."""
    return {**lease, "spec": {**lease["spec"], "renewTime": _stamp(wall)}}


def release(lease: Lease, wall: datetime) -> Lease:
    """Our own Lease, given back: the next one need not wait for its end."""
    return {**lease, "spec": {**lease["spec"], "holderIdentity": "", "renewTime": _stamp(wall)}}


def holder_of(lease: Lease | None) -> str:
    """Whom a Lease names; nothing when it is free."""
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


def epoch_of(lease: Lease) -> str:
    """The name of a term. No two share one, even if the Lease is deleted and counts from the beginning again."""
    return f"{lease['spec']['leaseTransitions']}-{lease['metadata']['uid'][:8]}"


def is_later(epoch: str, than: str) -> bool:
    """Whether a term followed another one; of terms of different Leases that cannot be told, so it did not."""
    (number, _, lease), (earlier, _, same) = epoch.partition("-"), than.partition("-")
    return lease == same and number.isdecimal() and earlier.isdecimal() and int(number) > int(earlier)


def _heartbeat(lease: Lease) -> object:
    return lease["metadata"].get("uid"), lease.get("spec")


def _stamp(wall: datetime) -> str:
    return wall.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
