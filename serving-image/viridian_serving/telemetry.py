"""What the pod tells about its predictions, beside the counters that guard a rollout."""

import time
from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from viridian_serving.config import Settings
from viridian_serving.feedback import Feedback, FeedbackCounts
from viridian_serving.feedback_token import TokenReader, TokenWriter
from viridian_serving.problems import Problem


class Telemetry(Collector):
    """Its parts, and their metrics."""

    def __init__(self, settings: Settings) -> None:
        """Wire it up.

        Args:
            settings: Of this pod.
        """
        self._settings = settings
        self._accuracy = FeedbackCounts(settings.revision)
        self._feedback: Feedback | None = None
        self.tokens: TokenWriter | None = None
        """Signs the predictions of this pod; None without a key."""
        if settings.feedback_key:
            model = (settings.feedback_key, settings.namespace, settings.model)
            self.tokens = TokenWriter(*model, settings.revision)
            reader = TokenReader(*model, settings.feedback_lifetime)
            self._feedback = Feedback(reader, self._accuracy, settings.max_instances, time.time)

    def feedback(self, body: bytes) -> bytes:
        """Answer ``POST /feedback``.

        Args:
            body: The request's.

        Returns:
            The answer's.

        Raises:
            Problem: What the client gets instead.
        """
        if self._feedback is None:
            raise Problem(
                404,
                "no-feedback-key",
                "This pod signs no predictions, so it can take no feedback: create the Secret "
                f"{self._settings.model}-feedback with a member 'key', and start the pods anew.",
            )
        return self._feedback.take(body)

    def collect(self) -> Iterator[Metric]:
        """Give every family of metrics."""
        settings = self._settings
        yield from self._accuracy.families(settings.namespace, settings.model, settings.pod_uid)
