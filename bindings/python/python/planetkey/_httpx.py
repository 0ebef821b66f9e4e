"""A session as the ``auth`` of ``httpx``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from planetkey import _auth
from planetkey._waiting import Call, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from planetkey._native import Authorization, Session


def authorize(session: Session, request: httpx.Request) -> httpx.Request:
    """Put the credential on a request. It is not repeated if an API refuses the token."""
    put(request, session.authorize(str(request.url)))
    return request


def sync_auth_flow(
    session: Session, request: httpx.Request
) -> Generator[httpx.Request, httpx.Response, None]:
    """What ``httpx.Client`` goes through with each request."""
    authorization = session.authorize(str(request.url))
    put(request, authorization)
    response = yield request
    if response.status_code == 401:
        repeated = _again(session, authorization, response)
        if repeated is not None:
            yield repeated


async def async_auth_flow(
    session: Session, request: httpx.Request
) -> AsyncGenerator[httpx.Request, httpx.Response]:
    """What ``httpx.AsyncClient`` goes through with each request."""
    authorization = session.authorize_cached(str(request.url))
    if authorization is None:
        authorization = await in_thread(Call(session.authorize, str(request.url)))
    put(request, authorization)
    response = yield request
    if response.status_code == 401:
        repeated = await in_thread(Call(_again, session, authorization, response))
        if repeated is not None:
            yield repeated


def put(request: httpx.Request, authorization: Authorization) -> None:
    """Puts what it carries on a request."""
    if authorization.url != str(request.url):
        request.url = httpx.URL(authorization.url)
    _auth.put(request.headers, authorization)


def _again(
    session: Session, before: Authorization, response: httpx.Response
) -> httpx.Request | None:
    """The request that was answered 401, which may be one that the first was redirected to, with another credential."""
    request = response.request
    authorization = _auth.again(
        session,
        before,
        str(request.url),
        request.headers.get("Authorization"),
        response.headers.get("WWW-Authenticate"),
        # Any other stream is used up.
        is_repeatable=isinstance(request.stream, httpx.ByteStream),
    )
    if authorization is None:
        return None
    put(request, authorization)
    return request
