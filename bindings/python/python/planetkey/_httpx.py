"""A session as the ``auth`` of ``httpx``.

An exception refers to the locals of its frames, and error reports show them. So no token and no
URL with a key is a local here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from planetkey import _auth

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from planetkey._native import Authorization, Session


def authorize(session: Session, request: httpx.Request) -> httpx.Request:
    """Put the credential on a request. It is not repeated if an API refuses the token."""
    _put(request, session.authorize(str(request.url)))
    return request


def sync_auth_flow(
    session: Session, request: httpx.Request
) -> Generator[httpx.Request, httpx.Response, None]:
    """Authorize each request of an ``httpx.Client``."""
    _put(request, session.authorize(str(request.url)))
    response = yield request
    repeat = session._after_api_response(*_described(response))
    if repeat is not None:
        _put(response.request, repeat)
        yield response.request


async def async_auth_flow(
    session: Session, request: httpx.Request
) -> AsyncGenerator[httpx.Request, httpx.Response]:
    """Authorize each request of an ``httpx.AsyncClient``."""
    _put(request, await session.authorize_async(str(request.url)))
    response = yield request
    repeat = await session._after_api_response_async(*_described(response))
    if repeat is not None:
        _put(response.request, repeat)
        yield response.request


def _put(request: httpx.Request, authorization: Authorization) -> None:
    if authorization.url != str(request.url):
        request.url = httpx.URL(authorization.url)
    _auth.put(request.headers, authorization)


def _described(response: httpx.Response) -> tuple[str, str | None, int, str | None, bool]:
    """Return the response as the core takes it.

    Its request may be one that the first request was redirected to, with another credential.
    """
    request = response.request
    return (
        str(request.url),
        request.headers.get("Authorization"),
        response.status_code,
        response.headers.get("WWW-Authenticate"),
        # Any other stream has been read.
        isinstance(request.stream, httpx.ByteStream),
    )
