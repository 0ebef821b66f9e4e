"""The exceptions of planetkey: one class for each status, and the status says what the caller should do.

The numbers and names are the same in all languages. Exceptions can be pickled, so that they cross process borders.
"""

from __future__ import annotations

__all__ = [
    "Cancelled",
    "Denied",
    "Error",
    "HostRefused",
    "Internal",
    "InvalidArgument",
    "LoginRequired",
    "Misconfigured",
    "NotPicklable",
    "Protocol",
    "Storage",
    "Timeout",
    "TokenInvalid",
    "Unavailable",
    "Unsupported",
]


class Error(Exception):
    """The base of all failures of planetkey. The message is one line, holds no secret and is safe to log."""

    # Not `ClassVar`: `get_type_hints` looks it up, and importing `typing` takes longer than everything else here.
    code: str
    """The name of the status, as ``"INVALID_ARGUMENT"``."""
    number: int
    """The number of the status."""

    message: str
    """One line for people; says what to do next."""
    reason: str | None
    """A word that refines the status, as ``"expired"``."""
    oauth_error: str | None
    """The ``error`` of an OAuth error response, as ``"invalid_client"``."""
    oauth_error_description: str | None
    """The server's own words: one line of untrusted text."""
    http_status: int | None
    """The HTTP status of the authorization server's answer."""
    retry_after_ms: int | None
    """How long to wait before trying again."""
    retryable: bool
    """Whether the same call may succeed later without any change."""
    profile: str | None
    """The profile that this is about."""

    def __init__(
        self,
        message: str = "",
        *,
        reason: str | None = None,
        oauth_error: str | None = None,
        oauth_error_description: str | None = None,
        http_status: int | None = None,
        retry_after_ms: int | None = None,
        retryable: bool = False,
        profile: str | None = None,
    ) -> None:
        super().__init__(message)
        # Attributes in the instance dictionary are pickled by Exception itself.
        self.message = message
        self.reason = reason
        self.oauth_error = oauth_error
        self.oauth_error_description = oauth_error_description
        self.http_status = http_status
        self.retry_after_ms = retry_after_ms
        self.retryable = retryable
        self.profile = profile


class InvalidArgument(Error, ValueError):
    """Fix the call."""

    code = "INVALID_ARGUMENT"
    number = 1


class Misconfigured(Error):
    """Fix the profile, file, client or scope."""

    code = "MISCONFIGURED"
    number = 2


class LoginRequired(Error):
    """Ask the user to log in; ``reason`` says why."""

    code = "LOGIN_REQUIRED"
    number = 3


class Denied(Error):
    """The user or the server said no."""

    code = "DENIED"
    number = 4


class HostRefused(Error):
    """This credential must not go to this URL; the message says which would."""

    code = "HOST_REFUSED"
    number = 5


class Unavailable(Error):
    """Try later; ``retry_after_ms`` says when."""

    code = "UNAVAILABLE"
    number = 6


class Timeout(Error, TimeoutError):
    """The deadline passed."""

    code = "TIMEOUT"
    number = 7


class Cancelled(Error):
    """The caller cancelled."""

    code = "CANCELLED"
    number = 8


class Protocol(Error):
    """The server's answer breaks the standard."""

    code = "PROTOCOL"
    number = 9


class Storage(Error):
    """The session could not be read or kept."""

    code = "STORAGE"
    number = 10


class TokenInvalid(Error):
    """A token failed validation; ``reason`` says how."""

    code = "TOKEN_INVALID"
    number = 11


class Unsupported(Error):
    """Not offered for this kind of session or client."""

    code = "UNSUPPORTED"
    number = 12


class NotPicklable(Unsupported, TypeError):
    """A session that was opened with credentials in the call; they are not pickled."""


class Internal(Error):
    """A bug in planetkey: report it."""

    code = "INTERNAL"
    number = 13
