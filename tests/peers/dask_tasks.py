"""What the tasks of test_dask.py do. Worker processes import it."""

import os

import planetkey
import planetkey.dask
import requests

# The sessions that tasks in threads of this process were given.
seen: list[planetkey.Session] = []


def read(url: str) -> tuple[int, str, str]:
    """This process, the credential that the API saw, and the token."""
    session = planetkey.dask.session()
    response = requests.get(url, auth=session, timeout=60)
    sent = response.request.headers["Authorization"].removeprefix("Bearer ")
    return os.getpid(), response.json()["credential"], sent


def remember(url: str) -> str:
    """The header, from a session that stays in `seen`."""
    session = planetkey.dask.session()
    seen.append(session)
    return session.headers(url)["Authorization"]


def may_go_to(urls: list[str]) -> list[bool]:
    """Whether the session sends its token there."""
    session = planetkey.dask.session()
    return [session.authorize_if_served(url) is not None for url in urls]


async def read_async(url: str) -> str:
    """The header, in a task on the event loop of the worker."""
    headers = await planetkey.dask.session().headers_async(url)
    return headers["Authorization"]
