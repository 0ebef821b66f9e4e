"""Calls that may block, for event loops."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from planetkey._native import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

T = TypeVar("T")

# Of the calls whose result is not needed any more once the main thread has ended.
_cancelled_at_exit: set[Cancellation] = set()


class Call(Generic[T]):
    """A call with its arguments.

    An exception refers to the locals of its frames, and error reports show them. Arguments may be
    secrets, so they are no locals of the frames that a call goes through here.
    """

    __slots__ = ("_arguments", "_function", "_options")

    def __init__(self, function: Callable[..., T], /, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        self._function = function
        self._arguments = arguments
        self._options = options

    def __call__(self) -> T:
        """Make the call."""
        return self._function(*self._arguments, **self._options)


async def in_thread(call: Callable[[], T], cancel: Callable[[], None] | None = None) -> T:
    """Make the call on another thread and wait for it without blocking the event loop.

    If the task is cancelled, so is the call: the thread ends within a moment. It would otherwise
    stay until the session's deadline, and the end of the loop or of the program waits for it.
    ``cancel`` is called if the task is cancelled before the call has started. It may block for a
    moment.
    """
    cancellation = Cancellation()
    caller = threading.current_thread()
    # The program waits for any other thread, so that one finishes its work.
    if caller.daemon or caller is threading.main_thread():
        _cancelled_at_exit.add(cancellation)

    has_started = threading.Event()

    def run() -> T:
        has_started.set()
        with cancellation:
            return call()

    try:
        return await _run(run)
    finally:
        cancellation.cancel()
        _cancelled_at_exit.discard(cancellation)
        if cancel is not None and not has_started.is_set():
            threading.Thread(target=cancel).start()


async def cached_or_in_thread(cached: Callable[[], tuple[T] | None], call: Callable[[], T]) -> T:
    """Return the result of ``cached``, which does not block.

    If that is None, the call would block: make it on another thread.
    """
    result = cached()
    if result is not None:
        return result[0]
    return await in_thread(call)


async def shielded(call: Callable[[], None]) -> None:
    """Make a short call on another thread, and wait for it also if the task is cancelled."""
    if _is_asyncio():
        await asyncio.shield(asyncio.to_thread(call))
        return
    from anyio import CancelScope, to_thread

    with CancelScope(shield=True):
        await to_thread.run_sync(call)


async def _run(call: Callable[[], T]) -> T:
    # On asyncio, a thread of anyio ends only with its task. A program would not end if its loop
    # was abandoned.
    if _is_asyncio():
        return await asyncio.to_thread(call)
    # There is no other event loop without anyio.
    from anyio import to_thread

    return await to_thread.run_sync(call, abandon_on_cancel=True)


def _is_asyncio() -> bool:
    try:
        # None if another event loop runs as a guest of asyncio.
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def _cancel_all() -> None:
    for cancellation in tuple(_cancelled_at_exit):
        cancellation.cancel()


def _register() -> None:
    """Cancel the calls at the end of the main thread.

    ``fsspec`` and others run a loop that Ctrl-C does not stop.
    """
    # Functions of `atexit` are called after the threads have ended.
    register = getattr(threading, "_register_atexit", None)
    # The program may be ending already.
    with suppress(RuntimeError):
        # It waits for its threads in such a function too. The last one registered is called first.
        import concurrent.futures.thread  # noqa: F401

        if register is not None:
            register(_cancel_all)


_register()
