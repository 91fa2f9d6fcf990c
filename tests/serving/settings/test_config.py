"""Settings from the environment."""

import pytest

from viridian_serving.settings.config import ConfigError, load
from viridian_shared.counts.latency import GRID

GIVEN = {
    "VIRIDIAN_NAMESPACE": "ml",
    "VIRIDIAN_MODEL": "digits",
    "VIRIDIAN_MODEL_VERSION": "v1",
    "VIRIDIAN_MODEL_URI": "image:///models/digits/v1",
    "VIRIDIAN_MODEL_FORMAT": "onnx",
    "VIRIDIAN_REVISION": "digits-1",
    "VIRIDIAN_COLOR": "blue",
    "VIRIDIAN_POD_UID": "0b7",
}


def test_what_the_operator_sets_is_enough() -> None:
    # when
    settings = load(GIVEN | {"PATH": "/bin", "VIRIDIAN_OF_A_NEWER_OPERATOR": "1"})
    # then
    assert (settings.model, settings.color, settings.timeout) == ("digits", "blue", 30.0)
    assert settings.latency_buckets == GRID


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ({}, None),
        ({"VIRIDIAN_STABLE": "digits.ml.svc:8080"}, ("digits-green.ml.svc", 8000)),
        ({"VIRIDIAN_STABLE": "digits.ml.svc:8080", "VIRIDIAN_COLOR": "green"}, ("digits-blue.ml.svc", 8000)),
        ({"VIRIDIAN_STABLE": "127.0.0.1:8080"}, None),
        ({"VIRIDIAN_STABLE": "digits-2.ml.svc:8080"}, None),
        ({"VIRIDIAN_OTHER_COLOR": "127.0.0.1:81"}, ("127.0.0.1", 81)),
    ],
)
def test_where_the_other_color_is(given: dict[str, str], other: tuple[str, int] | None) -> None:
    assert load(GIVEN | given).other_color == other


def test_durations_and_lists_are_read() -> None:
    # when
    settings = load(
        GIVEN
        | {
            "VIRIDIAN_TIMEOUT": "500ms",
            "VIRIDIAN_SCRAPE_INTERVAL": "2s",
            "VIRIDIAN_LATENCY_BUCKETS": "0.01,0.1,1",
            "VIRIDIAN_CPU_LIMIT": "1500m",
        }
    )
    # then
    assert settings.timeout == 0.5
    assert settings.scrape_interval == 2.0
    assert settings.latency_buckets == (0.01, 0.1, 1.0)
    assert settings.cpu_limit == 1.5


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("VIRIDIAN_MODEL", "", "is not set"),
        ("VIRIDIAN_MODEL_VERSION", "latest", "write a version such as"),
        ("VIRIDIAN_COLOR", "red", "'blue' or 'green'"),
        ("VIRIDIAN_MODEL_FORMAT", "pickle", "'onnx'"),
        ("VIRIDIAN_TIMEOUT", "30", "write whole numbers with units"),
        ("VIRIDIAN_TIMEOUT", "0s", "greater than 0"),
        ("VIRIDIAN_SCRAPE_INTERVAL", "often", "write whole numbers with units"),
        ("VIRIDIAN_LATENCY_BUCKETS", "1,0.5", "greater than the one before"),
        ("VIRIDIAN_LATENCY_BUCKETS", "a,b", "write seconds like"),
        ("VIRIDIAN_LATENCY_BUCKETS", "1,inf", "+Inf is added by itself"),
        ("VIRIDIAN_LATENCY_BUCKETS", "nan,1", "greater than the one before"),
        ("VIRIDIAN_CPU_LIMIT", "two", "write cores like"),
        ("VIRIDIAN_HTTP_PORT", "70000", "65535"),
        ("VIRIDIAN_MAX_BODY", "0", "greater than 0"),
        ("VIRIDIAN_FEEDBACK_KEY", "a key that is long enough,short", "fewer than 16 characters"),
    ],
)
def test_bad_value_gives_a_sentence_that_names_the_variable(variable: str, value: str, wanted: str) -> None:
    # when
    with pytest.raises(ConfigError) as error:
        load(GIVEN | {variable: value})
    # then
    (sentence,) = error.value.sentences
    assert sentence.startswith(variable)
    assert wanted in sentence


def test_a_key_is_never_repeated_and_its_line_break_is_no_part_of_it() -> None:
    with pytest.raises(ConfigError) as error:
        load(GIVEN | {"VIRIDIAN_FEEDBACK_KEY": "a secret"})
    assert "secret" not in str(error.value)
    settings = load(GIVEN | {"VIRIDIAN_FEEDBACK_KEY": "a new key of some length\n, its predecessor's secret"})
    assert settings.feedback_key == ("a new key of some length", "its predecessor's secret")
    assert "predecessor" not in repr(settings)


def test_every_bad_value_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        load({"VIRIDIAN_COLOR": "red"})
    assert len(error.value.sentences) == 7


def test_by_default_the_grace_lasts_for_the_slowest_request() -> None:
    assert load(GIVEN | {"VIRIDIAN_TIMEOUT": "60s", "VIRIDIAN_DRAIN_DELAY": "2s"}).grace == 67.0


def test_a_drain_that_does_not_fit_into_the_grace_is_refused() -> None:
    with pytest.raises(ConfigError, match="raise VIRIDIAN_GRACE"):
        load(GIVEN | {"VIRIDIAN_DRAIN_DELAY": "10s", "VIRIDIAN_GRACE": "10s"})
