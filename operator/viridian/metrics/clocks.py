"""Pods whose clock is ahead: beside counts from a time to come, nobody else's would be new."""

from .prometheus import Samples


def without_clocks_ahead(samples: Samples, interval: float) -> tuple[Samples, str]:
    """Leave out the pods whose counters carry a time that Prometheus has not seen yet.

    Args:
        samples: by revision and pod UID.
        interval: seconds between two scrapes; a clock may be ahead by so much.

    Returns:
        The samples of the other pods, and a sentence that names the pod which is ahead the most (empty: none is).
    """
    ahead = {
        uid: max(sample.stamp for sample in pod.counters) - pod.scraped_at
        for pods in samples.values()
        for uid, pod in pods.items()
        if pod.counters
    }
    ahead = {uid: seconds for uid, seconds in ahead.items() if seconds > interval}
    if not ahead:
        return samples, ""
    kept = {revision: {uid: pod for uid, pod in pods.items() if uid not in ahead} for revision, pods in samples.items()}
    worst = max(ahead, key=ahead.__getitem__)
    others = f" ({len(ahead)} pods are ahead)" if len(ahead) > 1 else ""
    return kept, (
        f"the clock of pod {worst} is {ahead[worst]:.0f} s ahead of Prometheus's, so its requests are not counted"
        f"{others}: set the clock of its node"
    )
