"""Where models may send notifications."""

import pytest

from viridian.controller.notifying.delivery import Denied
from viridian.controller.notifying.egress import check_host, check_scheme, host_of

ALLOWED = ("hooks.example.com", "events.example.com:8443", "*.ml.example.com", "slack://")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a?token=b",
        "http://HOOKS.example.com/",
        "https://events.example.com:8443",
        "https://a.b.ml.example.com/x",
    ],
)
def test_an_allowed_host_is_reached(url: str) -> None:
    check_scheme(url, ALLOWED)
    check_host(host_of(url), ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com:8443/",
        "https://events.example.com/",
        "https://ml.example.com/",
        "https://evilml.example.com/",
        "https://hooks.example.com.evil.com/",
        "https://hooks.example.com@169.254.169.254/",
        "https://user:word@hooks.example.com/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[broken",
        "http:///nothing",
        "https://kubernetes.default.svc/api",
        "https://hooks.example.com:notaport/",
    ],
)
def test_any_other_host_is_denied(url: str) -> None:
    check_scheme(url, ALLOWED)
    with pytest.raises(Denied, match=r"notifications\.allowedHosts"):
        check_host(host_of(url), ALLOWED)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "begins with none of"),
        ("dbus://", "begins with none of"),
        ("json://127.0.0.1:10250/", "begins with none of"),
        ("no address", "begins with none of"),
        ("workflows://h/a/b?template=/var/run/secrets/token", "parameters template"),
        ("mailto://h?attach=http://x&to=a", "parameters attach"),
        ("slack://a/b/c?redirect=yes", "parameters redirect"),
    ],
)
def test_what_reaches_further_is_denied(url: str, why: str) -> None:
    with pytest.raises(Denied, match=why):
        check_scheme(url, ALLOWED)


def test_a_service_needs_its_name_in_the_list() -> None:
    check_scheme("slack://a/b/c", ALLOWED)
    with pytest.raises(Denied, match="slack:// are not allowed"):
        check_scheme("slack://a/b/c", ())
