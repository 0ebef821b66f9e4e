"""What the native classes call in Python: the adapter that a request is for, and coroutines.

It is above the adapters. It imports each of them when it is needed, because they import the HTTP
clients, and ``asyncio``.
"""

from __future__ import annotations

import sys

from planetkey._native import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
    from typing import Any

    import httpx

_BASES = (("httpx", "Auth"), ("requests.auth", "AuthBase"))
_classes: dict[tuple[type, ...], type] = {}


def class_of(session_type: type) -> type:
    """Return ``session.__class__``: a class that is also an ``httpx.Auth`` and an ``AuthBase``.

    A session does all that those two do, and ``isinstance`` looks at ``__class__`` if the type
    alone does not match. A real base class would import both packages with ``import planetkey``.
    Only those that are imported already are bases of this class.
    """
    found = (getattr(sys.modules.get(module), name, None) for module, name in _BASES)
    bases = tuple(base for base in found if base is not None)
    if not bases:
        return session_type
    if bases not in _classes:
        members = {"__module__": "planetkey", "__doc__": session_type.__doc__}
        _classes[bases] = type(session_type.__name__, (session_type, *bases), members)
    return _classes[bases]


def call(session: Session, request: Any) -> Any:  # noqa: ANN401
    """Do what ``session(request)`` does."""
    if "requests" in sys.modules:
        import requests

        from planetkey import _requests

        if isinstance(request, requests.PreparedRequest):
            return _requests.authorize(session, request)
        if isinstance(request, requests.Request):
            return _requests.modify(session, request)
    if "httpx" in sys.modules:
        import httpx

        from planetkey import _httpx

        if isinstance(request, httpx.Request):
            return _httpx.authorize(session, request)
    raise TypeError(
        "a planetkey.Session must be called with a request of requests or httpx, "
        f"not {type(request).__name__}"
    )


def sync_auth_flow(
    session: Session, request: httpx.Request
) -> Generator[httpx.Request, httpx.Response]:
    """Return the flow of ``httpx.Client``."""
    from planetkey import _httpx

    return _httpx.sync_auth_flow(session, request)


def async_auth_flow(
    session: Session, request: httpx.Request
) -> AsyncGenerator[httpx.Request, httpx.Response]:
    """Return the flow of ``httpx.AsyncClient``."""
    from planetkey import _httpx

    return _httpx.async_auth_flow(session, request)


def token_provider(provider: Any) -> Any:  # noqa: ANN401
    """Return an object with the method ``ask``, which calls the provider and reads its result."""
    from planetkey.provider import Asker

    return Asker(provider)


def in_thread(
    method: Callable[..., Any],
    arguments: tuple[Any, ...],
    options: dict[str, Any] | None,
    cancel: Callable[[], None] | None = None,
) -> Coroutine[Any, Any, Any]:
    """Return a coroutine that calls the method on another thread.

    If the task is cancelled before the call has started, ``cancel`` is called instead.
    """
    from planetkey import _waiting

    return _waiting.in_thread(_waiting.Call(method, *arguments, **options or {}), cancel)


def cached_or_in_thread(
    cached: Callable[..., Any], method: Callable[..., Any], arguments: tuple[Any, ...]
) -> Coroutine[Any, Any, Any]:
    """Return a coroutine that calls ``cached``, or the method on another thread."""
    from planetkey import _waiting

    return _waiting.cached_or_in_thread(
        _waiting.Call(cached, *arguments), _waiting.Call(method, *arguments)
    )


async def entered(login: Any) -> Any:  # noqa: ANN401
    """Enter the ``async with`` block of a login."""
    return login


def cancel(method: Callable[[], None]) -> Coroutine[Any, Any, None]:
    """Return a coroutine that calls the method on another thread, also if its task is cancelled."""
    from planetkey import _waiting

    return _waiting.shielded(_waiting.Call(method))


def reopen(profile: str | None, options: dict[str, Any], timeout: float | None) -> Session:
    """Open a session that was pickled."""
    if profile is None:
        session = Session.from_defaults(**options)
    else:
        session = Session.from_profile(profile, **options)
    return session if timeout is None else session.with_timeout(timeout)
