"""A session for Planet's SDK. Its classes and functions then use the credentials of planetkey.

    import planet
    import planetkey.planet

    session = planetkey.Session.from_defaults()
    client = planet.Planet(planetkey.planet.Session(session))
    print(client.data.get_stats(["PSScene"]))

``planet.Session(auth=session)`` works too. But the SDK raises an exception for a 401 before its
``auth`` sees the response, so a token that an API has refused is not refreshed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import planet
from planet import exceptions, models

import planetkey

__all__ = ["Session"]


class Session(planet.Session):
    """A ``planet.Session`` that refreshes a token that an API refuses, and repeats the request."""

    def __init__(self, session: planetkey.Session, read_timeout_secs: float | None = None) -> None:
        # The annotation of `auth` is narrower than the code, which passes it to `httpx`.
        auth: Any = session
        super().__init__(auth=auth, read_timeout_secs=read_timeout_secs)
        self.session = session

    async def request(self, *arguments: Any, **named: Any) -> models.Response:  # noqa: ANN401
        """Send a request, as ``planet.Session.request``."""
        try:
            return await super().request(*arguments, **named)
        except exceptions.InvalidAPIKey as refusal:
            if not await self._can_repeat(refusal):
                raise
        return await super().request(*arguments, **named)

    @asynccontextmanager
    async def stream(
        self,
        *arguments: Any,  # noqa: ANN401
        **named: Any,  # noqa: ANN401
    ) -> AsyncIterator[models.StreamingResponse]:
        """Send a request, as ``planet.Session.stream``."""
        async with AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(super().stream(*arguments, **named))
            except exceptions.InvalidAPIKey as refusal:
                if not await self._can_repeat(refusal):
                    raise
                response = await stack.enter_async_context(super().stream(*arguments, **named))
            yield response

    async def _can_repeat(self, refusal: exceptions.InvalidAPIKey) -> bool:
        # The SDK raises it while it handles the exception of `httpx`, which has the response.
        error = refusal.__context__
        if not isinstance(error, httpx.HTTPStatusError):
            return False
        # The URL and the token are no locals, because error reports show locals.
        repeat = await self.session._after_api_response_async(
            str(error.request.url),
            error.request.headers.get("Authorization"),
            error.response.status_code,
            error.response.headers.get("WWW-Authenticate"),
            True,  # noqa: FBT003
        )
        return repeat is not None
