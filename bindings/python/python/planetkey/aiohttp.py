"""A session for ``aiohttp`` 3.12 and later.

    import aiohttp
    import planetkey.aiohttp

    session = planetkey.Session.from_defaults()
    middlewares = (planetkey.aiohttp.Middleware(session),)
    async with aiohttp.ClientSession(middlewares=middlewares) as client:
        async with client.get("https://api.planet.com/data/v1/item-types") as response:
            print(await response.text())

Packages on top of ``aiohttp`` take it too:
``fsspec.filesystem("https", client_kwargs={"middlewares": (middleware,)})``.
"""

from __future__ import annotations

from aiohttp import BytesPayload, ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from planetkey import Authorization, Session, _auth

__all__ = ["Middleware"]


class Middleware:
    """Authorizes every request to a host of the session, and no other request.

    ``aiohttp`` calls it again for every redirect, so each host gets only what may go there. A URL
    that the session calls invalid raises ``InvalidArgumentError``. If an API refuses the token
    with a 401, the token is refreshed and the request repeated once. The event loop is never
    blocked. A middleware can be pickled if its session can, for example for workers of ``dask``.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send a request. ``aiohttp`` calls it."""
        # No token and no URL with a key is a local here, because error reports show locals.
        authorization = await self.session.authorize_if_served_async(str(request.url))
        if authorization is None:
            return await handler(request)
        _put(request, authorization)
        response = await handler(request)
        try:
            repeat = await self.session._after_api_response_async(
                str(request.url),
                request.headers.get("Authorization"),
                response.status,
                ", ".join(response.headers.getall("WWW-Authenticate", ())) or None,
                # Any other body has been read.
                not request.body or isinstance(request.body, BytesPayload),
            )
        except BaseException:
            # The caller does not get the response, which has a connection of the pool.
            response.close()
            raise
        if repeat is None:
            return response
        response.release()
        _put(request, repeat)
        return await handler(request)


def _put(request: ClientRequest, authorization: Authorization) -> None:
    if authorization.url != str(request.url):
        request.url = URL(authorization.url, encoded=True)
    _auth.put(request.headers, authorization)
