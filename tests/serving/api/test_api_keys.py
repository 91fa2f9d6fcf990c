"""The keys of clients, as a folder of files."""

import logging
from pathlib import Path

import pytest

from viridian_serving.api.api_keys import MOST_KEYS, KeyRing, read_keys
from viridian_serving.http1.problems import Problem

SHOP, DESK = b"shop-key-0123456789abcdef", b"desk-key-0123456789abcdef"


def ring(folder: Path, **files: bytes) -> KeyRing:
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return read_keys(folder)


def refusal(keys: KeyRing, headers: dict[bytes, bytes]) -> Problem:
    with pytest.raises(Problem) as raised:
        keys.client_of(headers)
    return raised.value


@pytest.mark.parametrize(
    "headers",
    [
        {b"x-api-key": SHOP},
        {b"x-api-key": b" " + SHOP + b" "},
        {b"authorization": b"Bearer " + SHOP},
        {b"authorization": b"bearer  " + SHOP},
        {b"authorization": b"Bearer token.of.the-gateway", b"x-api-key": SHOP},
    ],
)
def test_a_client_is_known_by_its_key(tmp_path: Path, headers: dict[bytes, bytes]) -> None:
    keys = ring(tmp_path, shop=SHOP + b"\n", desk=DESK)
    assert keys.client_of(headers) == "shop"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"x-api-key": b""},
        {b"x-api-key": SHOP[:-1]},
        {b"x-api-key": SHOP + b"0"},
        {b"x-api-key": b"shop"},
        {b"authorization": SHOP},
        {b"authorization": b"Basic " + SHOP},
        {b"authorization": b"Bearer " + SHOP + b" " + DESK},
        # a wrong key is not forgiven for a right one beside it
        {b"authorization": b"Bearer " + SHOP, b"x-api-key": b"wrong"},
    ],
)
def test_nobody_else_is(tmp_path: Path, headers: dict[bytes, bytes]) -> None:
    # given
    keys = ring(tmp_path, shop=SHOP, desk=DESK)
    # when
    problem = refusal(keys, headers)
    # then
    assert problem.status == 401
    assert (b"WWW-Authenticate", b"Bearer") in problem.headers
    assert "X-Api-Key" in problem.detail
    assert SHOP.decode() not in problem.detail


def test_two_keys_of_a_client_are_valid_while_one_follows_the_other(tmp_path: Path) -> None:
    # given
    keys = ring(tmp_path, shop_2026=SHOP, shop_2027=DESK)
    # when
    known = {keys.client_of({b"x-api-key": key}) for key in (SHOP, DESK)}
    # then
    assert known == {"shop"}
    assert keys.clients == ["shop"]


def test_a_folder_that_is_not_there_admits_nobody(tmp_path: Path) -> None:
    keys = read_keys(tmp_path / "nowhere")
    assert keys == KeyRing()
    assert refusal(keys, {b"x-api-key": SHOP}).status == 401


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("weak", b"sesame", "fewer than 16 characters"),
        ("weak", b"", "fewer than 16 characters"),
        ("blank", b"sesame sesame sesame", "without blanks"),
        ("binary", b"sesame\xff\xfe0123456789abcdef", "printable ASCII"),
        ("long", b"sesame" * 200, "at most 1024"),
        (".hidden", b"sesame0123456789abcdef", "begins with a dot"),
    ],
)
def test_a_key_that_cannot_be_used_is_left_out_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: bytes, said: str
) -> None:
    # given
    (tmp_path / name).write_bytes(content)
    # when
    with caplog.at_level(logging.ERROR):
        keys = ring(tmp_path, shop=SHOP)
    # then: the others are valid all the same
    assert keys.client_of({b"x-api-key": SHOP}) == "shop"
    assert keys.clients == ["shop"]
    assert name in caplog.text
    assert said in caplog.text
    assert "sesame" not in caplog.text


def test_what_the_kubelet_links_is_no_key(tmp_path: Path) -> None:
    # given
    data = tmp_path / "..2026_11_29"
    data.mkdir()
    (data / "shop").write_bytes(SHOP)
    (tmp_path / "..data").symlink_to(data)
    (tmp_path / "shop").symlink_to(tmp_path / "..data" / "shop")
    # when / then
    assert read_keys(tmp_path).clients == ["shop"]


def test_there_are_so_many_keys_at_most(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # given
    for number in range(MOST_KEYS + 1):
        (tmp_path / f"client{number:03}").write_bytes(SHOP + b"%d" % number)
    # when
    keys = read_keys(tmp_path)
    # then
    assert len(keys.keys) == MOST_KEYS
    assert "left out: client100" in caplog.text


def test_no_key_is_shown(tmp_path: Path) -> None:
    assert SHOP.decode() not in repr(ring(tmp_path, shop=SHOP))
