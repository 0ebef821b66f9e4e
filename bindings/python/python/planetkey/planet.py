"""A session for Planet's SDK, whose classes and functions then use what planetkey finds and renews.

    import planet
    import planetkey.planet

    session = planetkey.Session.from_defaults()
    client = planet.Planet(planetkey.planet.Session(session))
    print(client.data.get_stats(["PSScene"]))

``planet.Session(auth=session)`` works too, but the SDK makes an exception of a 401 before its ``auth`` sees the answer:
then nothing renews a token that an API has refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import planet
from planet import exceptions, models

import planetkey

__all__ = ["Session"]


class Session(planet.Session):
    """A ``planet.Session`` that repeats a request once, with a new token, where an API refuses the old one."""

    def __init__(self, session: planetkey.Session, read_timeout_secs: float | None = None) -> None:
        # The annotation asks for more than the code, which hands it on to `httpx`.
        auth: Any = session
        super().__init__(auth=auth, read_timeout_secs=read_timeout_secs)
        self.session = session

    async def request(self, *arguments: Any, **named: Any) -> models.Response:  # noqa: ANN401
        """As ``planet.Session.request``."""
        try:
            return await super().request(*arguments, **named)
        except exceptions.InvalidAPIKey as refusal:
            if not await self._is_worth_repeating(refusal):
                raise
        return await super().request(*arguments, **named)

    @asynccontextmanager
    async def stream(
        self,
        *arguments: Any,  # noqa: ANN401
        **named: Any,  # noqa: ANN401
    ) -> AsyncIterator[models.StreamingResponse]:
        """As ``planet.Session.stream``."""
        async with AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(super().stream(*arguments, **named))
            except exceptions.InvalidAPIKey as refusal:
                if not await self._is_worth_repeating(refusal):
                    raise
                answer = await stack.enter_async_context(super().stream(*arguments, **named))
            yield answer

    async def _is_worth_repeating(self, refusal: exceptions.InvalidAPIKey) -> bool:
        # The SDK raises it while it handles the exception of `httpx`, which has the answer.
        error = refusal.__context__
        if not isinstance(error, httpx.HTTPStatusError):
            return False
        if not error.request.headers.get("Authorization", "").startswith("Bearer "):
            return False
        return await asyncio.to_thread(self._should_retry, error)

    def _should_retry(self, error: httpx.HTTPStatusError) -> bool:
        # The token is no local: an exception keeps the locals of its frames.
        return self.session.should_retry(
            error.request.headers["Authorization"].removeprefix("Bearer "),
            error.response.status_code,
            error.response.headers.get("WWW-Authenticate"),
        )
