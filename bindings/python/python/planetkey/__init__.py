"""Authentication to the Planet Insights Platform.

    import planetkey

    session = planetkey.Session.from_defaults()
    headers = session.headers("https://api.planet.com/data/v1/item-types")

A session finds its credentials (API keys and machine-to-machine clients) in what the call names, or in the environment
and the profiles that it names, keeps its tokens fresh, and sends each credential only to the hosts that it is for. It
serves any number of threads; while it waits for the network, other threads run and Ctrl-C works. After ``os.fork`` the
child may go on using it. It is not pickled: construct it in the worker.

Every failure is a :class:`planetkey.Error`; its subclass says what to do about it. Log records go to the logger
``planetkey`` and hold no secret.
"""

from planetkey._native import (
    Authorization,
    HostStatus,
    Session,
    SessionStatus,
    SourceStatus,
    __version__,
    redact_url,
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
    Protocol,
    Storage,
    Timeout,
    TokenInvalid,
    Unavailable,
    Unsupported,
)

__all__ = [
    "Authorization",
    "Cancelled",
    "Denied",
    "Error",
    "HostRefused",
    "HostStatus",
    "Internal",
    "InvalidArgument",
    "LoginRequired",
    "Misconfigured",
    "Protocol",
    "Session",
    "SessionStatus",
    "SourceStatus",
    "Storage",
    "Timeout",
    "TokenInvalid",
    "Unavailable",
    "Unsupported",
    "__version__",
    "redact_url",
    "strip_api_key",
]
