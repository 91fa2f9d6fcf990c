"""The page's settings."""

import pytest

from viridian.api.errors import ConfigurationError
from viridian.page.settings import PageSettings

HOSTS = {"VIRIDIAN_PAGE_HOSTS": "Viridian.example.com, page.example.com:8443"}


def test_hosts_are_compared_in_one_case() -> None:
    settings = PageSettings.from_environment(
        HOSTS | {"VIRIDIAN_NAMESPACES": "ml,shop", "VIRIDIAN_PAGE_USER_HEADER": "X-User"}
    )
    assert settings == PageSettings(
        frozenset({"viridian.example.com", "page.example.com:8443"}), "X-User", ("ml", "shop"), "", 8082, "INFO"
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "VIRIDIAN_PAGE_HOSTS is not set"),
        ({"VIRIDIAN_PAGE_HOSTS": " , "}, "chart value page.hosts"),
        (HOSTS | {"VIRIDIAN_PAGE_PORT": "http"}, "VIRIDIAN_PAGE_PORT is 'http'"),
        (HOSTS | {"VIRIDIAN_PAGE_PORT": "70000"}, "write a port from 1 to 65535"),
    ],
)
def test_what_cannot_work_is_said_with_the_way_out(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        PageSettings.from_environment(environment)
