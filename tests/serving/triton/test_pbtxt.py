"""The text format of protocol buffers, as far as a config.pbtxt needs it."""

import pytest

from viridian_serving.triton.pbtxt import parse, scalar


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r'"x\ny"', "x\ny"),
        (r'"say \"yes\""', 'say "yes"'),
        (r"'it\'s'", "it's"),
        (r'"C:\\models"', r"C:\models"),
        (r'"\303\251\x41"', "éA"),
        ('"é" "t" \'é\'', "été"),
    ],
)
def test_a_text_means_what_protobuf_says(written: str, meant: str) -> None:
    assert scalar(parse(f"name: {written}"), "name") == meant


def test_escapes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse(r'name: "\377"')
