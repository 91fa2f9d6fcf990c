"""What a status holds."""

from datetime import UTC, datetime

import pytest

from viridian.api.status import Hold, cut


@pytest.mark.parametrize(("length", "shown"), [(2047, 2047), (2048, 2048), (2049, 2048), (100_000, 2048)])
def test_a_sentence_is_cut_to_what_the_schema_allows(length: int, shown: int) -> None:
    # given what an ingress has answered, quoted in a hold
    text = "no metrics for 10m: <html>".ljust(length, "x")
    # when it is written into a status, then its beginning is, rather than nothing at all
    message = Hold(reason="MetricsMissing", message=text, since=datetime.now(UTC)).message
    assert (len(message), message) == (shown, cut(text))
    assert message.endswith("…") is (length > 2048)
