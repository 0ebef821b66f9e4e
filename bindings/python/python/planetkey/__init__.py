"""Authentication to the Planet Insights Platform.

    import planetkey
    import requests

    session = planetkey.Session.from_defaults()
    answer = requests.get("https://api.planet.com/data/v1/item-types", auth=session)

A session finds its credentials (API keys, machine-to-machine clients, sessions of users who have logged in) in what the
call names, in the environment, or in files; it keeps its tokens fresh, and sends each credential only to the hosts that
it is for. Tokens are kept below ``~/.planet``, where all processes and Planet's own tools share them, so that one
request serves all of them. A session serves any number of threads; while it waits for the network, other threads run
and Ctrl-C works. After ``os.fork`` the child may go on using it. It is pickled by what it was opened from, never by its
credentials.

It is an ``auth`` of ``requests`` and ``httpx``; for other packages there are the modules ``planetkey.aiohttp``,
``planetkey.planet`` and ``planetkey.sentinelhub``, which import what they are for. All others take
``session.headers(url)``.

Every failure is a :class:`planetkey.Error`; its subclass says what to do about it. Log records go to the logger
``planetkey`` and hold no secret.
"""

from __future__ import annotations

from planetkey import _end
from planetkey._native import (
    Authorization,
    BrowserLogin,
    DeviceLogin,
    HostStatus,
    LoggedIn,
    LoggedOut,
    Prompt,
    Session,
    SessionStatus,
    SourceStatus,
    __version__,
    redact_url,
    settle,
    strip_api_key,
)
from planetkey.errors import (
    Cancelled,
    Denied,
    Error,
    HostRefused,
    Internal,
    InvalidArgument,
    LoginRequired,
    Misconfigured,
    NotPicklable,
    Protocol,
    Storage,
    Timeout,
    TokenInvalid,
    Unavailable,
    Unsupported,
)

__all__ = [
    "Authorization",
    "BrowserLogin",
    "Cancelled",
    "Denied",
    "DeviceLogin",
    "Error",
    "HostRefused",
    "HostStatus",
    "Internal",
    "InvalidArgument",
    "LockingTokenStorage",
    "LoggedIn",
    "LoggedOut",
    "LoginRequired",
    "Misconfigured",
    "NotPicklable",
    "Prompt",
    "Protocol",
    "Session",
    "SessionStatus",
    "SourceStatus",
    "Storage",
    "Timeout",
    "TokenInvalid",
    "TokenStorage",
    "Unavailable",
    "Unsupported",
    "__version__",
    "redact_url",
    "settle",
    "strip_api_key",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from planetkey.storage import LockingTokenStorage, TokenStorage
else:

    def __getattr__(name: str) -> object:
        """Imports the protocols when somebody asks: importing ``typing`` takes longer than everything else here."""
        if name in {"LockingTokenStorage", "TokenStorage"}:
            from planetkey import storage

            return getattr(storage, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _reopen(profile: str | None, options: dict[str, Any], timeout_ms: int | None) -> Session:
    """Opens a session again that was pickled."""
    session = Session.from_defaults(**options) if profile is None else Session.from_profile(profile, **options)
    return session if timeout_ms is None else session.with_timeout_ms(timeout_ms)


def _imported_by_native_code() -> None:
    """Names for PyInstaller and its like what the native half imports by name. It is never called."""
    import ctypes  # noqa: F401
    import json  # noqa: F401
    import logging  # noqa: F401

    from planetkey import _auth, _httpx  # noqa: F401


_end.register()
