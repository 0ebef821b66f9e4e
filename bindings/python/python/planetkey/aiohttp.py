"""A session for ``aiohttp`` 3.12 and later.

    import aiohttp
    import planetkey.aiohttp

    session = planetkey.Session.from_defaults()
    async with aiohttp.ClientSession(middlewares=(planetkey.aiohttp.Middleware(session),)) as client:
        async with client.get("https://api.planet.com/data/v1/item-types") as answer:
            print(await answer.text())

What is built on ``aiohttp`` takes it too: ``fsspec.filesystem("https", client_kwargs={"middlewares": (middleware,)})``.
"""

from __future__ import annotations

from aiohttp import BytesPayload, ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from planetkey import Authorization, Session, _auth
from planetkey._waiting import Call, in_thread
from planetkey.errors import HostRefusedError, InvalidArgumentError

__all__ = ["Middleware"]


class Middleware:
    """Puts the credential on every request to a host that it is for, and on no other.

    ``aiohttp`` asks it again for every host that it is redirected to: each gets what may go there, and requests to
    other hosts stay as they are. When an API answers 401 because the token is no good, the token is renewed and the
    request repeated once. Waiting for a token never blocks the event loop. It can be pickled if its session can, for
    workers of ``dask`` for example.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """What ``aiohttp`` calls."""
        # No token and no URL with a key is a local here: see `_auth.again`.
        try:
            authorization = self.session.authorize_cached(str(request.url))
        except (HostRefusedError, InvalidArgumentError):
            return await handler(request)
        if authorization is None:
            authorization = await in_thread(Call(self.session.authorize, str(request.url)))
        _put(request, authorization)
        response = await handler(request)
        if response.status != 401:
            return response
        try:
            renewed = await in_thread(
                Call(
                    _auth.again,
                    self.session,
                    authorization,
                    authorization.url,
                    request.headers.get("Authorization"),
                    ", ".join(response.headers.getall("WWW-Authenticate", ())) or None,
                    # A stream is used up.
                    is_repeatable=not request.body or isinstance(request.body, BytesPayload),
                ),
            )
        except BaseException:
            # Nobody gets it to close, and it has a connection of the pool.
            response.close()
            raise
        if renewed is None:
            return response
        response.release()
        _put(request, renewed)
        return await handler(request)


def _put(request: ClientRequest, authorization: Authorization) -> None:
    if authorization.url != str(request.url):
        request.url = URL(authorization.url, encoded=True)
    _auth.put(request.headers, authorization)
