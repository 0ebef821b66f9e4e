"""Authentication to the Planet Insights Platform.

    import planetkey
    import requests

    session = planetkey.Session.from_defaults()
    response = requests.get("https://api.planet.com/data/v1/item-types", auth=session)

A session finds its credentials in the call, in the environment or in files: API keys, M2M clients,
and the sessions of users who logged in. It keeps its tokens fresh, and sends each credential only
to the hosts that it is for. It saves tokens below ``~/.planet``. All processes and Planet's own
tools share them, so one token request serves all.

Any number of threads may use a session. While it waits for the network, other threads run and
Ctrl-C works. After ``os.fork`` the child may go on using it. Every call that may block has a twin
for event loops whose name ends in ``_async``. A session is pickled as what it was opened from,
never with its credentials.

It is an ``auth`` of ``requests`` and ``httpx``. The modules ``planetkey.aiohttp``,
``planetkey.dask``, ``planetkey.gdal``, ``planetkey.planet`` and ``planetkey.sentinelhub`` are for
other packages. All others can use ``session.headers(url)``.

Every failure is a :class:`planetkey.Error`. Its subclass says what to do. Log records go to the
logger ``planetkey`` and contain no secret. Timeouts and other durations are in seconds.
"""

from __future__ import annotations

from planetkey import _dispatch, _end, _native
from planetkey._native import (
    Authorization,
    BrowserLogin,
    DeviceLogin,
    HostStatus,
    LoginResult,
    LogoutResult,
    Prompt,
    Session,
    SessionStatus,
    SourceStatus,
    __version__,
    redact_url,
    settle,
    settle_async,
    strip_api_key,
)
from planetkey.errors import (
    CancelledError,
    DeniedError,
    Error,
    HostRefusedError,
    InternalError,
    InvalidArgumentError,
    LoginRequiredError,
    MisconfiguredError,
    NotPicklableError,
    ProtocolError,
    StorageError,
    TimeoutError,  # noqa: A004
    TokenInvalidError,
    UnavailableError,
    UnsupportedError,
)

__all__ = [
    "Authorization",
    "BrowserLogin",
    "CancelledError",
    "DeniedError",
    "DeviceLogin",
    "Error",
    "HostRefusedError",
    "HostStatus",
    "InternalError",
    "InvalidArgumentError",
    "LockingTokenStorage",
    "LoginRequiredError",
    "LoginResult",
    "LogoutResult",
    "MisconfiguredError",
    "NotPicklableError",
    "Prompt",
    "ProtocolError",
    "Session",
    "SessionStatus",
    "SourceStatus",
    "StorageError",
    "TimeoutError",
    "TokenInvalidError",
    "TokenProvider",
    "TokenRequest",
    "TokenStorage",
    "UnavailableError",
    "UnsupportedError",
    "__version__",
    "redact_url",
    "settle",
    "settle_async",
    "strip_api_key",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from planetkey.provider import TokenProvider, TokenRequest
    from planetkey.storage import LockingTokenStorage, TokenStorage
else:

    def __getattr__(name: str) -> object:
        """Import the protocols when they are used.

        Importing ``typing`` takes longer than everything else here.
        """
        if name in {"LockingTokenStorage", "TokenStorage"}:
            from planetkey import storage

            return getattr(storage, name)
        if name in {"TokenProvider", "TokenRequest"}:
            from planetkey import provider

            return getattr(provider, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _imported_by_native_code() -> None:
    """Name what the native half imports, for PyInstaller and similar tools. It is never called."""
    import ctypes  # noqa: F401
    import json  # noqa: F401
    import logging  # noqa: F401


_native.connect(_dispatch)
_end.register()
