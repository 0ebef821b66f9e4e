"""No token and no key is a local of the frames of an exception, because error reports show them."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from types import TracebackType

import aiohttp
import anyio
import httpx
import planetkey
import planetkey.aiohttp
import planetkey.planet
import pytest
import requests

from loopback import NO_TOKEN, Loopback


def revoked(loopback: Loopback) -> tuple[planetkey.Session, str]:
    """A session whose token the APIs refuse and whose refreshes fail, and that token."""
    session = loopback.m2m()
    token = session.access_token()
    loopback.revoke()
    loopback.simulator.script("m2m.token", NO_TOKEN)
    return session, token


def check(caught: pytest.ExceptionInfo[BaseException], secret: str) -> None:
    """Looks at every frame, except those of this file."""
    error: BaseException | None = caught.value
    places = []
    while error is not None:
        places.extend(_places(error.__traceback__, secret))
        error = error.__context__
    assert not places


def _places(trace: TracebackType | None, secret: str) -> list[str]:
    return [
        f"{getattr(frame.f_code, 'co_qualname', frame.f_code.co_name)}: {name}"
        for frame, _ in traceback.walk_tb(trace)
        if frame.f_code.co_filename != __file__
        for name, value in frame.f_locals.items()
        if secret in repr(value)
    ]


def test_i9_14c_requests(loopback: Loopback) -> None:
    session, token = revoked(loopback)
    with pytest.raises(planetkey.ProtocolError) as caught:
        requests.get(loopback.sentinel_hub, auth=session, timeout=30)
    check(caught, token)


def test_i9_14c_httpx(loopback: Loopback) -> None:
    session, token = revoked(loopback)
    with pytest.raises(planetkey.ProtocolError) as caught:
        httpx.get(loopback.sentinel_hub, auth=session)
    check(caught, token)


def test_i9_14c_httpx_async(loopback: Loopback) -> None:
    session, token = revoked(loopback)

    async def ask() -> None:
        async with httpx.AsyncClient(auth=session) as client:
            await client.get(loopback.sentinel_hub)

    with pytest.raises(planetkey.ProtocolError) as caught:
        asyncio.run(ask())
    check(caught, token)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_calls(loopback: Loopback, backend: str) -> None:
    session, token = revoked(loopback)
    authorization = session.authorize(loopback.sentinel_hub)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: session.introspect_async(token),
        lambda: session.authorize_async(f"ftp://example.org/{token}"),
        lambda: session.after_response_async(authorization, 401, None),
    ]

    async def ask(call: Callable[[], Awaitable[object]]) -> None:
        await call()

    for call in calls:
        with pytest.raises(planetkey.Error) as caught:
            anyio.run(ask, call, backend=backend)
        check(caught, token)


def test_i9_14c_aiohttp(loopback: Loopback) -> None:
    session, token = revoked(loopback)

    async def ask() -> None:
        middleware = planetkey.aiohttp.Middleware(session)
        async with aiohttp.ClientSession(middlewares=(middleware,)) as client:
            await client.get(loopback.sentinel_hub)

    with pytest.raises(planetkey.ProtocolError) as caught:
        asyncio.run(ask())
    check(caught, token)
