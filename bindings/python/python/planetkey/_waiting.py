"""Waiting for a token without blocking an event loop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from planetkey._native import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable

    from planetkey import Session

T = TypeVar("T")

# Of the waits that the end of the program leaves nobody for.
_ending: set[Cancellation] = set()


async def in_thread(session: Session, call: Callable[[Session], T]) -> T:
    """What the call gives, which a thread waits for as long as the caller does.

    The call gets the session that it is to use. A thread that stayed when the caller has gone would stay until the
    session's deadline, and the end of the loop or the program waits for such threads.
    """
    cancellation = Cancellation()
    caller = threading.current_thread()
    # Any other thread goes on to its own end, which the program waits for.
    if caller.daemon or caller is threading.main_thread():
        _ending.add(cancellation)
    try:
        return await _run(partial(call, session._until(cancellation)))
    finally:
        cancellation.cancel()
        _ending.discard(cancellation)


async def _run(call: Callable[[], T]) -> T:
    # On asyncio a thread of anyio ends with its task only: it would keep a program whose loop was left as it was.
    if _is_asyncio():
        return await asyncio.to_thread(call)
    # What there is another event loop by.
    from anyio import to_thread

    return await to_thread.run_sync(call, abandon_on_cancel=True)


def _is_asyncio() -> bool:
    try:
        # None where another event loop is asyncio's guest.
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def _end() -> None:
    for cancellation in tuple(_ending):
        cancellation.cancel()


def _register() -> None:
    """Has the waits end when the main thread has: `fsspec` and others have a loop that Ctrl-C does not stop."""
    # Those of `atexit` are called when the threads have been waited for.
    register = getattr(threading, "_register_atexit", None)
    # The program may be ending already.
    with suppress(RuntimeError):
        # It waits for its threads in such a call too; what is registered last is called first.
        import concurrent.futures.thread  # noqa: F401

        if register is not None:
            register(_end)


_register()
