"""What requests failed with, in numbers that stay few: the problem's type, the status, and the model's own words."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric

from viridian_serving.codec.oip import HEADER_LENGTH
from viridian_serving.codec.oip_paths import is_inference
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.messages import Request, Response
from viridian_serving.inference.request_context import Failure, RequestContext
from viridian_serving.telemetry.error_redaction import redacted, texts_of
from viridian_shared.counts.metric_names import FAILURES
from viridian_shared.counts.via import JUDGED

_MOST_SENTENCES: Final = 4
"""Of each type and status; what comes after them is counted without one."""
_MOST_READ: Final = 4
"""Different words of each type and status that are read at a time. The others are counted without a sentence."""
_MOST_COMPARED: Final = 8
"""Requests that are held against the words in which they failed alike."""
_DIGITS: Final = re.compile(r"\d+")
_NOBODY_WAITED: Final = "the client left before there was an answer"
ABANDONED: Final = Failure("no-answer", None, _NOBODY_WAITED)


def failure_of(response: Response) -> Failure:
    """Return what an answer with a status of 500 or more says about the model.

    What Triton answered itself, to a request of its own protocol, is the model's failure.
    """
    return Failure(response.problem or "model-failed", response.status, response.cause)


@dataclass(frozen=True, slots=True)
class _Kind:
    type: str
    status: str


class FailureCounts:
    """Counts since the process started."""

    def __init__(self) -> None:
        """Start with none: a series is there from its first failure on."""
        self._counts: dict[_Kind, Counter[str]] = defaultdict(Counter)
        self._names: frozenset[str] = frozenset()
        self._sensitive = False

    def begin(self, contract: Contract) -> None:
        """Start with the model, once it is loaded: whose names may be told, and whether words may.

        Args:
            contract: What its API takes and gives.
        """
        features, model = contract.requests.features, contract.model
        tensors = {tensor.name for tensor in (*model.inputs, *model.outputs)}
        self._names = frozenset(tensors.union(feature.name for feature in features))
        self._sensitive = any(feature.sensitive for feature in features)

    def observe(self, requests: Iterable[RequestContext]) -> None:
        """Count those that failed.

        Args:
            requests: Some that are over.
        """
        alike: dict[_Kind, dict[str, list[RequestContext]]] = defaultdict(lambda: defaultdict(list))
        for context in requests:
            if (failure := context.failure) is not None and context.via in JUDGED:
                kind = _Kind(failure.type, "" if failure.status is None else str(failure.status))
                alike[kind][_DIGITS.sub("0", failure.cause)].append(context)  # digits are redacted anyway
        for kind, by_words in alike.items():
            for read, (words, group) in enumerate(sorted(by_words.items(), key=lambda each: -len(each[1]))):
                self._count(kind, self._sentence(words, group) if read < _MOST_READ else "", len(group))

    def _sentence(self, words: str, group: Sequence[RequestContext]) -> str:
        if not words or words == _NOBODY_WAITED:
            return words
        texts = [_texts(context.request) for context in group[:_MOST_COMPARED]]
        return redacted(words, texts, self._names, sensitive=self._sensitive)

    def _count(self, kind: _Kind, sentence: str, number: int) -> None:
        counts = self._counts[kind]
        known = sum(1 for each in counts if each)
        counts[sentence if sentence in counts or known < _MOST_SENTENCES else ""] += number

    def families(self, names: Sequence[str], identity: Sequence[str]) -> Iterator[Metric]:
        """Render them.

        Args:
            names: The labels that every series has.
            identity: Their values.
        """
        family = CounterMetricFamily(
            FAILURES,
            "Failed requests of users, by what they failed with",
            labels=(*names, "type", "status", "detail"),
        )
        for kind, counts in self._counts.items():
            for sentence, number in counts.items():
                family.add_metric((*identity, kind.type, kind.status, sentence), number)
        yield family


def _texts(request: Request) -> list[str] | None:
    """The texts in a request; None where they cannot be read."""
    if b"content-encoding" in request.headers:
        return None
    given = request.headers.get(HEADER_LENGTH, b"")
    header = int(given) if given.isdigit() and len(given) < 10 else None
    return texts_of(request.body, header, protocol=is_inference(request))
