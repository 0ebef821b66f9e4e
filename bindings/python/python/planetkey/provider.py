"""What ``Session.from_token_provider`` takes: a callable that obtains access tokens.

planetkey calls a provider on a thread of its own, one call at a time for each session. If it
returns an awaitable, planetkey awaits it in a new event loop on that thread, so it must not use
what belongs to another loop. If it has a parameter named ``request``, it gets a
:class:`TokenRequest`.

A :class:`planetkey.Error` that it raises reaches the callers of the session as an exception of the
same class. Any other exception becomes a :class:`planetkey.UnavailableError` that names the class
of the exception but not its text, which may contain a token. After a failure planetkey waits a
second before it calls the provider again, and twice as long after each further one, up to 30
seconds. ``retry_after`` of the exception replaces this wait.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

__all__ = ["HasAccessToken", "ProvidedToken", "TokenProvider", "TokenRequest"]


class HasAccessToken(Protocol):
    """An object with a token. It may also have ``expires_in`` or ``expires_at``."""

    @property
    def access_token(self) -> str:
        """The token alone, without ``Bearer``."""
        ...


ProvidedToken = tuple[str, float | timedelta | None] | Mapping[str, Any] | HasAccessToken | str
"""What a provider returns: a token and the seconds until it expires.

Or a mapping or an object with ``access_token``, and with ``expires_in`` in seconds or
``expires_at``, in Unix seconds or as an aware ``datetime``. If the expiry is None or absent, it is
that of the claim ``exp`` in a JWT; any other token is used for 5 minutes.
"""

TokenProvider = Callable[..., ProvidedToken | Awaitable[ProvidedToken]]
"""A callable that returns a token that is valid now."""


class TokenRequest:
    """What a session asks its token provider for. Its ``repr`` shows no token."""

    __slots__ = ("rejected_token", "timeout")

    timeout: float
    """How many seconds the provider may take. Callers do not wait longer than their timeouts."""
    rejected_token: str | None
    """The last token, if an API refused it with 401. Do not return it again from a cache."""

    def __init__(self, timeout: float, rejected_token: str | None) -> None:
        self.timeout = timeout
        self.rejected_token = rejected_token

    def __repr__(self) -> str:
        after = ", after a 401" if self.rejected_token is not None else ""
        return f"<TokenRequest within {self.timeout:g} s{after}>"


class Asker:
    """Calls a provider for the native half."""

    __slots__ = ("_provider", "_takes_request")

    def __init__(self, provider: Any) -> None:  # noqa: ANN401
        if not callable(provider):
            raise TypeError(
                "provider must be callable (see planetkey.TokenProvider), "
                f"not {type(provider).__name__}"
            )
        self._provider = provider
        self._takes_request = _has_request(provider)

    def ask(
        self, timeout: float, rejected_token: str | None
    ) -> tuple[str, float | None, float | None]:
        """Return a token, the seconds until it expires, and when that is in Unix seconds.

        Raises ``Unusable`` if the provider returned something else.
        """
        if self._takes_request:
            provided = self._provider(request=TokenRequest(timeout, rejected_token))
        else:
            provided = self._provider()
        if inspect.isawaitable(provided):
            provided = _awaited(provided, timeout)
        return _read(provided)


class Unusable(Exception):  # noqa: N818 - it reaches no user
    """A provider returned something other than a token. The text names it, without a secret."""


def _has_request(provider: Any) -> bool:  # noqa: ANN401
    try:
        parameters = inspect.signature(provider).parameters
    except (TypeError, ValueError):
        return False
    request = parameters.get("request")
    return request is not None and request.kind in {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }


def _awaited(provided: Awaitable[Any], timeout: float) -> Any:  # noqa: ANN401
    import asyncio

    async def wait() -> Any:  # noqa: ANN401
        return await provided

    return asyncio.run(asyncio.wait_for(wait(), timeout))


def _read(provided: Any) -> tuple[str, float | None, float | None]:  # noqa: ANN401
    expires_in: Any = None
    expires_at: Any = None
    if isinstance(provided, Mapping):
        token = provided.get("access_token")
        expires_in, expires_at = provided.get("expires_in"), provided.get("expires_at")
    elif isinstance(provided, (tuple, list)):
        if len(provided) != 2:
            raise Unusable(f"returned {len(provided)} values, not a token and its expires_in")
        token, expires_in = provided
    elif isinstance(provided, str):
        token = provided
    elif hasattr(provided, "access_token"):
        token = provided.access_token
        expires_in = getattr(provided, "expires_in", None)
        expires_at = getattr(provided, "expires_at", None)
    else:
        raise Unusable(f"returned {_named(provided)}, not a token and its expires_in")
    if not isinstance(token, str):
        raise Unusable(f"returned a token that is {_named(token)}, not a string")
    if expires_in is not None:
        return token, _seconds("expires_in", expires_in), None
    return token, None, None if expires_at is None else _seconds("expires_at", expires_at)


def _seconds(name: str, value: Any) -> float:  # noqa: ANN401
    if isinstance(value, timedelta) and name == "expires_in":
        return value.total_seconds()
    if isinstance(value, datetime) and name == "expires_at":
        if value.tzinfo is None:
            raise Unusable("returned an expires_at without a time zone")
        return value.timestamp()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise Unusable(f"returned {_named(value)} as {name}, not a number of seconds")


def _named(value: object) -> str:
    return type(value).__name__
