"""Waiting for a token without blocking an event loop."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from planetkey._native import Cancellation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from planetkey import Session

T = TypeVar("T")


async def in_thread(
    session: Session,
    call: Callable[[Session], T],
    run: Callable[[Callable[[], T]], Awaitable[T]] = asyncio.to_thread,
) -> T:
    """What the call gives, which a thread waits for as long as the caller does.

    The call gets the session that it is to use. A thread that stayed when the caller has gone would stay until the
    session's deadline, and the end of the loop or the program waits for such threads. ``run`` is how the caller's event
    loop runs something in a thread.
    """
    cancellation = Cancellation()
    try:
        return await run(partial(call, session._until(cancellation)))
    finally:
        cancellation.cancel()
