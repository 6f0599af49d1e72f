"""Requests to programs of the tests on this machine, in which its proxies, .netrc and CA bundles have no say."""

from typing import Any

import requests


def ask(method: str, url: str, *, timeout: float = 30, **given: Any) -> requests.Response:  # noqa: ANN401
    """The whole answer, whatever its status; ``given`` is what `requests.request` takes. Raises as that does."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, timeout=timeout, **given)


def read(url: str, *, timeout: float = 30, **given: Any) -> requests.Response:  # noqa: ANN401
    """The answer to a GET. Raises `AssertionError` with the program's words where it is not 200."""
    answer = ask("GET", url, timeout=timeout, **given)
    assert answer.status_code == 200, answer.text
    return answer


def answers(url: str, **given: Any) -> bool:  # noqa: ANN401
    """Whether it gives 200 now."""
    try:
        return ask("GET", url, timeout=2, **given).status_code == 200
    except requests.RequestException:
        return False
