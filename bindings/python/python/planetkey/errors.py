"""The exceptions of planetkey: one class for each status, which says what the caller should do.

The numbers and names are the same in all languages. Exceptions can be pickled, so that they can
cross to another process.
"""

from __future__ import annotations

import builtins

__all__ = [
    "CancelledError",
    "DeniedError",
    "Error",
    "HostRefusedError",
    "InternalError",
    "InvalidArgumentError",
    "LoginRequiredError",
    "MisconfiguredError",
    "NotPicklableError",
    "ProtocolError",
    "StorageError",
    "TimeoutError",
    "TokenInvalidError",
    "UnavailableError",
    "UnsupportedError",
]


class Error(Exception):
    """The base of all exceptions of planetkey.

    The message is one line. It contains no secret, so it is safe to log.
    """

    # Not `ClassVar`: `get_type_hints` looks it up, and importing `typing` takes longer than
    # everything else here.
    code: str
    """The name of the status, for example ``"INVALID_ARGUMENT"``."""
    number: int
    """The number of the status."""

    message: str
    """One line that says what failed and what to do next."""
    reason: str | None
    """A word that refines the status, for example ``"expired"``."""
    oauth_error: str | None
    """The ``error`` of an OAuth error response, for example ``"invalid_client"``."""
    oauth_error_description: str | None
    """The server's own text: one line that is not to be trusted."""
    http_status: int | None
    """The HTTP status of the authorization server's response."""
    retry_after: float | None
    """How many seconds to wait before the next attempt."""
    retryable: bool
    """Whether the same call may succeed later without any change."""
    profile: str | None
    """The profile that the error is about."""

    def __init__(
        self,
        message: str = "",
        *,
        reason: str | None = None,
        oauth_error: str | None = None,
        oauth_error_description: str | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
        profile: str | None = None,
    ) -> None:
        super().__init__(message)
        # Exception itself pickles the attributes in the instance dictionary.
        self.message = message
        self.reason = reason
        self.oauth_error = oauth_error
        self.oauth_error_description = oauth_error_description
        self.http_status = http_status
        self.retry_after = retry_after
        self.retryable = retryable
        self.profile = profile


class InvalidArgumentError(Error, ValueError):
    """The call is wrong: fix it."""

    code = "INVALID_ARGUMENT"
    number = 1


class MisconfiguredError(Error):
    """The profile, file, client or scope is wrong: fix it."""

    code = "MISCONFIGURED"
    number = 2


class LoginRequiredError(Error):
    """The user must log in. ``reason`` says why."""

    code = "LOGIN_REQUIRED"
    number = 3


class DeniedError(Error):
    """The user or the server refused."""

    code = "DENIED"
    number = 4


class HostRefusedError(Error):
    """The credential must not go to this URL. The message says which one could."""

    code = "HOST_REFUSED"
    number = 5


class UnavailableError(Error):
    """The server cannot be used now: try later. ``retry_after`` says when."""

    code = "UNAVAILABLE"
    number = 6


class TimeoutError(Error, builtins.TimeoutError):  # noqa: A001
    """The deadline passed. It is also the built-in ``TimeoutError``."""

    code = "TIMEOUT"
    number = 7


class CancelledError(Error):
    """The caller cancelled the call, or a login was cancelled."""

    code = "CANCELLED"
    number = 8


class ProtocolError(Error):
    """The server's response breaks the standard."""

    code = "PROTOCOL"
    number = 9


class StorageError(Error):
    """The session could not be read or saved."""

    code = "STORAGE"
    number = 10


class TokenInvalidError(Error):
    """A token failed validation. ``reason`` says how."""

    code = "TOKEN_INVALID"
    number = 11


class UnsupportedError(Error):
    """This kind of session or client does not offer the call."""

    code = "UNSUPPORTED"
    number = 12


class NotPicklableError(UnsupportedError, TypeError):
    """A session cannot be pickled if it was opened with credentials in the call."""


class InternalError(Error):
    """A bug in planetkey: please report it."""

    code = "INTERNAL"
    number = 13
