import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, Literal, NoReturn, TypeVar, final

from httpx import Request, Response

from planetkey.errors import Error
from planetkey.provider import TokenProvider
from planetkey.storage import TokenStorage

__all__ = [
    "Authorization",
    "BrowserLogin",
    "Cancellation",
    "DeviceLogin",
    "Gdal",
    "HostStatus",
    "LoginResult",
    "LogoutResult",
    "Prompt",
    "Session",
    "SessionStatus",
    "SourceStatus",
    "__version__",
    "connect",
    "end",
    "exception_classes",
    "gdal_install",
    "redact_url",
    "settle",
    "settle_async",
    "strip_api_key",
]

__version__: str

_R = TypeVar("_R")

@final
class Authorization:
    """What a request to one URL carries: send ``headers`` to ``url``.

    It contains a credential. Its ``repr`` shows none, and it cannot be pickled.
    """
    @property
    def headers(self) -> dict[str, str]:
        """The headers to send: a new dictionary, empty if the URL carries the API key."""
    @property
    def url(self) -> str:
        """The URL to send the request to: the one given, or that with its ``api_key`` parameter."""
    @property
    def credential(self) -> Literal["access_token", "api_key"]:
        """The kind of credential: ``"access_token"`` or ``"api_key"``."""
    @property
    def access_token(self) -> str | None:
        """The access token itself. None for an API key."""
    @property
    def transport(self) -> Literal["bearer", "basic", "header", "query"]:
        """How it is sent: ``"bearer"``, ``"basic"``, ``"header"`` or ``"query"``."""
    @property
    def source(self) -> str:
        """Where the credential comes from, for example a variable or a profile."""
    @property
    def expires_at(self) -> datetime | None:
        """When the credential expires. None if that is unknown."""
    @property
    def under_development(self) -> bool:
        """Whether Planet lists this combination of credential and host as under development."""
    def __reduce__(self) -> NoReturn: ...
    def __copy__(self) -> Authorization: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Authorization: ...

@final
class Prompt:
    """What a user must see to log in, or what they are asked."""
    @property
    def kind(self) -> Literal["browser", "device", "paste", "other_user"]:
        """What the prompt is about: ``"browser"``, ``"device"``, ``"paste"`` or ``"other_user"``.

        ``"paste"`` expects the address that the browser ended at. ``"other_user"`` expects
        ``"yes"`` if the new login may replace the saved session of a different user. The others
        expect no answer.
        """
    @property
    def message(self) -> str:
        """The whole text to show, in a few lines."""
    @property
    def url(self) -> str | None:
        """The address to open."""
    @property
    def user_code(self) -> str | None:
        """The code to enter or to compare. Show it in any case (RFC 8628, 3.3.1)."""
    @property
    def verification_uri(self) -> str | None:
        """The address at which the user enters the code."""
    @property
    def verification_uri_complete(self) -> str | None:
        """The address that contains the code."""
    @property
    def expires_in(self) -> float | None:
        """How many seconds the user has."""
    @property
    def browser_opened(self) -> bool:
        """Whether planetkey opened a browser at ``url``."""
    def qr_code(self, *, ascii: bool = False) -> str | None:  # noqa: A002
        """The address as a QR code in lines of text, light on dark.

        Args:
            ascii: Use only ASCII characters. The code is then twice as large.

        Returns:
            The lines, or None if there is no address or it is too long.
        """
    def __copy__(self) -> Prompt: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Prompt: ...

@final
class LoginResult:
    """The result of a login."""
    @property
    def prompted(self) -> bool:
        """Whether the user was prompted. False if the saved session was valid or refreshed."""
    @property
    def subject(self) -> str | None:
        """The ``sub`` of the user."""
    @property
    def email(self) -> str | None:
        """The user's e-mail address, with the scope ``email``."""
    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that the server granted."""
    @property
    def expires_at(self) -> datetime | None:
        """When the access token expires."""
    @property
    def profile(self) -> str | None:
        """The profile of the session."""
    @property
    def file(self) -> str | None:
        """The file that the session is saved in. None if it is in memory only."""
    @property
    def store(self) -> str | None:
        """The store that holds the session, without its password. None for a file or memory."""
    def __copy__(self) -> LoginResult: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> LoginResult: ...

@final
class LogoutResult:
    """The result of a logout. It is true if there was a session."""
    @property
    def removed(self) -> bool:
        """Whether there was a session."""
    @property
    def revocation(self) -> Literal["revoked", "unknown", "none"]:
        """What happened to the refresh token: ``"revoked"``, ``"unknown"`` or ``"none"``."""
    @property
    def revocation_error(self) -> str | None:
        """Why it is unknown whether the refresh token was revoked."""
    def __bool__(self) -> bool: ...
    def __copy__(self) -> LogoutResult: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> LogoutResult: ...

@final
class DeviceLogin:
    """A pending login with a code that the user enters on any device (RFC 8628).

    ``Session.start_device_login()`` starts it. Show the user ``prompt.message``, then call
    ``wait()``. It is a context manager, for ``with`` and ``async with``, that cancels the login
    if it is still pending at the end of the block. Any number of threads may use it.
    """
    @property
    def user_code(self) -> str:
        """The code that the user enters or compares."""
    @property
    def verification_uri(self) -> str:
        """The address at which the user enters the code."""
    @property
    def verification_uri_complete(self) -> str | None:
        """The address that contains the code, if the server gives one."""
    @property
    def expires_in(self) -> float:
        """How many seconds the user has."""
    @property
    def prompt(self) -> Prompt:
        """What to show the user."""
    def qr_code(self, *, ascii: bool = False) -> str | None:  # noqa: A002
        """The address as a QR code in lines of text, light on dark.

        Args:
            ascii: Use only ASCII characters. The code is then twice as large.

        Returns:
            The lines, or None if the address is too long.
        """
    @property
    def poll_interval(self) -> float:
        """How many seconds to wait before the next ``poll()``.

        The server may make it longer with each poll. An earlier poll sends no request.
        """
    def poll(self) -> LoginResult | None:
        """Asks the server once whether the user has logged in, if ``poll_interval`` has passed.

        For programs with a timer of their own; all others call ``wait()``. Blocks for one request
        at most, and Ctrl-C cancels the login.

        Returns:
            The result, or None while the login is pending.

        Raises:
            Error: The login failed, as in ``wait()``. Every later call raises the same.
        """
    async def poll_async(self) -> LoginResult | None:
        """Does what ``poll`` does, without blocking the event loop.

        Cancelling the task cancels the login.
        """
    def wait(self, timeout: float | timedelta | None = None) -> LoginResult:
        """Waits until the user has logged in.

        Blocks. Other threads run meanwhile, and Ctrl-C cancels the login.

        Args:
            timeout: Seconds to wait, as a number or a ``timedelta``. By default until the code
                expires.

        Returns:
            The result. Later calls return the same.

        Raises:
            TimeoutError: ``timeout`` passed. The login is still pending.
            CancelledError: The login was cancelled.
            DeniedError: The user or the server refused.
            LoginRequiredError: The code expired.
            UnavailableError: The server could not be reached until then.
            ProtocolError: The server's response breaks the standard.
            TokenInvalidError: The ID token failed validation.
            MisconfiguredError: The server does not accept the client or its scopes.
        """
    async def wait_async(self, timeout: float | timedelta | None = None) -> LoginResult:
        """Does what ``wait`` does, without blocking the event loop.

        Cancelling the task cancels the login. To wait for a limited time only, use ``timeout``.
        """
    def cancel(self) -> None:
        """Cancels the login. Calls that wait for it raise ``CancelledError``.

        Does nothing if the login has finished.
        """
    def __enter__(self) -> DeviceLogin: ...
    def __exit__(self, *_exception: object) -> None: ...
    async def __aenter__(self) -> DeviceLogin: ...
    async def __aexit__(self, *_exception: object) -> None: ...

@final
class BrowserLogin:
    """A pending login in a browser.

    ``Session.start_browser_login()`` starts it. Open ``authorization_url`` in a browser on this
    computer, then call ``wait()``; or call ``complete()`` with the address that a browser
    elsewhere ended at. It is a context manager, for ``with`` and ``async with``, that cancels the
    login if it is still pending at the end of the block. Any number of threads may use it.
    """
    @property
    def authorization_url(self) -> str:
        """The address to open. Show it to this user only: it contains the login's ``state``."""
    @property
    def redirect_uri(self) -> str:
        """The address that the browser returns to."""
    @property
    def expires_in(self) -> float:
        """How many seconds the user has."""
    @property
    def poll_interval(self) -> float:
        """How many seconds to wait before the next ``poll()``."""
    def poll(self) -> LoginResult | None:
        """Responds to the browser if it has returned.

        For programs with a timer of their own; all others call ``wait()``. Blocks for the token
        request only if the browser has just returned, and Ctrl-C cancels the login.

        Returns:
            The result, or None while the login is pending.

        Raises:
            Error: The login failed, as in ``wait()``. Every later call raises the same.
        """
    async def poll_async(self) -> LoginResult | None:
        """Does what ``poll`` does, without blocking the event loop.

        Cancelling the task cancels the login.
        """
    def wait(self, timeout: float | timedelta | None = None) -> LoginResult:
        """Waits until the user has logged in.

        Blocks. Other threads run meanwhile, and Ctrl-C cancels the login.

        Args:
            timeout: Seconds to wait, as a number or a ``timedelta``. By default until the login
                expires.

        Returns:
            The result. Later calls return the same.

        Raises:
            TimeoutError: ``timeout`` passed, and the login is still pending; or it expired.
            CancelledError: The login was cancelled.
            DeniedError: The user or the server refused.
            UnavailableError: The server could not be reached.
            ProtocolError: The server's response breaks the standard.
            TokenInvalidError: The ID token failed validation.
            MisconfiguredError: The server does not accept the client or its scopes.
        """
    async def wait_async(self, timeout: float | timedelta | None = None) -> LoginResult:
        """Does what ``wait`` does, without blocking the event loop.

        Cancelling the task cancels the login. To wait for a limited time only, use ``timeout``.
        """
    def complete(self, callback_url: str) -> LoginResult:
        """Finishes the login with the address that the browser ended at.

        For a browser that cannot return to this program. Blocks for the token request, and Ctrl-C
        cancels the login.

        Args:
            callback_url: The whole address, or what follows its question mark.

        Raises:
            InvalidArgumentError: This is not an address of this login, which is still pending.
            Error: The login failed, as in ``wait()``.
        """
    async def complete_async(self, callback_url: str) -> LoginResult:
        """Does what ``complete`` does, without blocking the event loop.

        Cancelling the task cancels the login.
        """
    def cancel(self) -> None:
        """Cancels the login and closes its sockets.

        Calls that wait for it raise ``CancelledError``. Does nothing if the login has finished.
        Returns within a moment.
        """
    def __enter__(self) -> BrowserLogin: ...
    def __exit__(self, *_exception: object) -> None: ...
    async def __aenter__(self) -> BrowserLogin: ...
    async def __aexit__(self, *_exception: object) -> None: ...

@final
class SourceStatus:
    """One credential source of a session."""
    @property
    def kind(self) -> Literal["api_key", "access_token"]:
        """The kind of credential: ``"api_key"`` or ``"access_token"``."""
    @property
    def source(self) -> str:
        """Where it comes from, for example a variable or a profile."""
    @property
    def profile(self) -> str | None:
        """The profile, if it comes from one."""
    @property
    def client_type(self) -> str:
        """The ``client_type`` of the client configuration."""
    @property
    def client_id(self) -> str | None:
        """The id of the OAuth client."""
    @property
    def issuer(self) -> str | None:
        """The issuer: the authorization server."""
    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes: those to request, or those granted once there is a token."""
    @property
    def expires_at(self) -> datetime | None:
        """When the cached token expires. None if that is unknown."""
    @property
    def initialized(self) -> bool:
        """Whether it can authorize a request without a login."""
    @property
    def token_cached(self) -> bool:
        """Whether a valid token is cached."""
    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that it may go to."""
    @property
    def transport(self) -> Literal["bearer", "basic", "header", "query"]:
        """How it is sent: ``"bearer"``, ``"basic"``, ``"header"`` or ``"query"``."""
    @property
    def file(self) -> str | None:
        """The file that its tokens are saved in. None for an API key and for other storage."""
    @property
    def store(self) -> dict[str, Any] | None:
        """The store for its tokens, or its ``storage_command``. None if there is none.

        The keys are ``name``, the URL without its password; ``reachable`` and ``holds``, None until
        it was used; and ``problem``, why it could not be used or is not used.
        """
    def __copy__(self) -> SourceStatus: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> SourceStatus: ...

@final
class HostStatus:
    """Which credential a request to one host carries."""
    @property
    def host(self) -> str:
        """The host, with its port if it is this computer."""
    @property
    def source_index(self) -> int:
        """The index of the source in ``SessionStatus.sources``."""
    @property
    def under_development(self) -> bool:
        """Whether Planet lists this combination of credential and host as under development."""
    def __copy__(self) -> HostStatus: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> HostStatus: ...

@final
class SessionStatus:
    """The status of a session, without a secret.

    The attributes of the first source are attributes of the status too.
    """
    @property
    def sources(self) -> tuple[SourceStatus, ...]:
        """All credential sources. A URL gets the first one that its host accepts."""
    @property
    def hosts(self) -> tuple[HostStatus, ...]:
        """Which credential a request to each host carries."""
    @property
    def deployment(self) -> str:
        """The name of the deployment."""
    @property
    def notes(self) -> tuple[str, ...]:
        """Messages about sources that are not used, and about tokens that could not be saved."""
    @property
    def initialized(self) -> bool:
        """Whether the session can authorize a request without a login."""
    @property
    def kind(self) -> Literal["api_key", "access_token"] | None:
        """The kind of the first source: ``"api_key"`` or ``"access_token"``."""
    @property
    def source(self) -> str | None:
        """Where the first source comes from."""
    @property
    def profile(self) -> str | None:
        """The profile of the first source."""
    @property
    def issuer(self) -> str | None:
        """The authorization server of the first source."""
    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of the first source."""
    @property
    def expires_at(self) -> datetime | None:
        """When the cached token of the first source expires."""
    @property
    def file(self) -> str | None:
        """The file that the tokens of the first source are saved in."""
    def to_dict(self) -> dict[str, Any]:
        """Returns the whole status as a dictionary for JSON. Its times are Unix seconds."""
    def __copy__(self) -> SessionStatus: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> SessionStatus: ...

@final
class Session:
    """Credentials that stay fresh, and the hosts that they may go to.

    Any number of threads may use one session, and so may a forked child. It is an ``auth`` of
    ``requests`` and ``httpx``: pass it as ``auth=``. It authorizes every request as
    ``authorize(url)`` does. If an API refuses the token with a 401, it refreshes the token and
    repeats the request once.

    Open one with a class method that starts with ``from_``. All of them take these options:

    Args:
        save: Whether to save tokens. By default they are saved, except for API keys. With False
            they stay in memory.
        storage_root: The directory that contains ``.planet``. By default
            ``PLANETKEY_STORAGE_ROOT``, or else the home directory.
        storage: An object that saves the tokens instead of files. See ``TokenStorage``.
        timeout: Seconds, as a number or a ``timedelta``, within which every call that uses the
            network ends, including its retries. From 0.001 to 86400; 30 by default.
        deployment: The name of a deployment, the path of its file, or its JSON as a mapping or a
            string. By default ``PLANETKEY_DEPLOYMENT``, or else ``planet``.
        allowed_hosts: More hosts that the credential may go to: exact names, over https.
        allow_insecure_loopback: Whether hosts on this computer may be used over plain http.
        ca_file: A PEM file with the certificates to trust, in addition to the system's.
        proxy: The URL of an HTTP proxy. By default that of the environment.
        store: The URL of a store that speaks the Redis protocol: ``redis://``, ``rediss://`` or
            ``redis+unix://``. All machines that name it share one token. By default the store of
            the profile, or else ``PLANETKEY_STORE``.
    """
    @staticmethod
    def from_defaults(
        *,
        save: bool | None = None,
        storage_root: str | os.PathLike[str] | None = None,
        storage: TokenStorage | None = None,
        timeout: float | timedelta | None = None,
        deployment: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        allowed_hosts: Iterable[str] | None = None,
        allow_insecure_loopback: bool | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        store: str | None = None,
    ) -> Session:
        """Opens a session on everything that the environment and configuration files offer.

        Profiles, M2M clients and API keys are found in this order, first in the environment, then
        in ``~/.planet`` and the configuration of ``sentinelhub``. Each URL gets the first
        credential that its host accepts. Reads files; uses no network.

        Args:
            **options: The options of every constructor; see ``Session``.

        Raises:
            InvalidArgumentError: An option is wrong.
            MisconfiguredError: A variable or file is wrong.
        """
    @staticmethod
    def from_profile(
        name: str,
        *,
        save: bool | None = None,
        storage_root: str | os.PathLike[str] | None = None,
        storage: TokenStorage | None = None,
        timeout: float | timedelta | None = None,
        deployment: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        allowed_hosts: Iterable[str] | None = None,
        allow_insecure_loopback: bool | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        store: str | None = None,
    ) -> Session:
        """Opens a session on a saved or built-in profile.

        Reads files; uses no network.

        Args:
            name: The profile's name, for example ``"planet-user"``.
            **options: The options of every constructor; see ``Session``.

        Raises:
            InvalidArgumentError: An option is wrong.
            MisconfiguredError: There is no such profile, or its files are wrong.
        """
    @staticmethod
    def from_api_key(
        key: str,
        *,
        transport: Literal["basic", "header", "query"] = "basic",
        save: bool | None = None,
        storage_root: str | os.PathLike[str] | None = None,
        storage: TokenStorage | None = None,
        timeout: float | timedelta | None = None,
        deployment: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        allowed_hosts: Iterable[str] | None = None,
        allow_insecure_loopback: bool | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        store: str | None = None,
    ) -> Session:
        """Opens a session on an API key.

        Args:
            key: The API key.
            transport: How the key is sent: as HTTP Basic (``"basic"``), as ``Authorization:
                api-key`` (``"header"``), or in the URL as ``api_key`` (``"query"``).
            **options: The options of every constructor; see ``Session``.

        Raises:
            InvalidArgumentError: The key or an option is wrong.
        """
    @staticmethod
    def from_m2m(
        client_id: str,
        client_secret: str,
        *,
        scopes: Iterable[str] | None = None,
        audience: str | None = None,
        profile: str | None = None,
        save: bool | None = None,
        storage_root: str | os.PathLike[str] | None = None,
        storage: TokenStorage | None = None,
        timeout: float | timedelta | None = None,
        deployment: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        allowed_hosts: Iterable[str] | None = None,
        allow_insecure_loopback: bool | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        store: str | None = None,
    ) -> Session:
        """Opens a session of an M2M client: the client credentials grant of OAuth.

        Uses no network until a token is needed.

        Args:
            client_id: The client's id.
            client_secret: The client's secret. It is not saved.
            scopes: The scopes to request. By default the server's.
            audience: The audience to request.
            profile: The profile whose directory the tokens are saved in. By default
                ``planet-m2m-`` and the client's id.
            **options: The options of every constructor; see ``Session``.

        Raises:
            InvalidArgumentError: An argument is wrong.
        """
    @staticmethod
    def from_token_provider(
        provider: TokenProvider,
        *,
        save: bool | None = None,
        storage_root: str | os.PathLike[str] | None = None,
        storage: TokenStorage | None = None,
        timeout: float | timedelta | None = None,
        deployment: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        allowed_hosts: Iterable[str] | None = None,
        allow_insecure_loopback: bool | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
    ) -> Session:
        """Opens a session with tokens that something else obtains: a broker, a scheduler, a vault.

        The tokens are cached in memory and refreshed as those of every other source: all threads
        share one call of the provider, and before a token expires the provider is called in the
        background. The tokens are never saved. A JWT goes to the hosts that accept tokens of its
        issuer, and any other token to those that accept a user's. Opening the session does not call
        the provider.

        Args:
            provider: A callable that returns a token and the seconds until it expires, or a mapping
                or an object with ``access_token`` and ``expires_in`` or ``expires_at``. It may
                return an awaitable. See ``TokenProvider``.
            **options: The options of every constructor; see ``Session``. Not ``storage``.

        Raises:
            InvalidArgumentError: An option is wrong.
        """
    @staticmethod
    def from_client_config(
        config: Mapping[str, Any] | str,
        *,
        profile: str | None = None,
        save: bool | None = None,
        storage_root: str | os.PathLike[str] | None = None,
        storage: TokenStorage | None = None,
        timeout: float | timedelta | None = None,
        deployment: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        allowed_hosts: Iterable[str] | None = None,
        allow_insecure_loopback: bool | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        store: str | None = None,
    ) -> Session:
        """Opens a session of any registered client.

        Uses no network until a token is needed.

        Args:
            config: The fields of ``auth_client.json``, as a mapping or as JSON.
            profile: The profile whose directory the tokens are saved in.
            **options: The options of every constructor; see ``Session``.

        Raises:
            InvalidArgumentError: An argument is wrong.
            MisconfiguredError: The configuration is wrong.
        """
    def authorize(self, url: str) -> Authorization:
        """Returns what a request to this URL carries: its headers and its URL.

        Blocks only if there is no valid token. Other threads run meanwhile, and Ctrl-C works.

        Args:
            url: The URL of the request. It may be a template with ``{z}/{x}/{y}``.

        Raises:
            InvalidArgumentError: This is not a URL.
            HostRefusedError: No credential of this session may go to this URL.
            LoginRequiredError: The user must log in.
            MisconfiguredError: The server does not accept the client or its scopes.
            UnavailableError: The server cannot be used now.
            TimeoutError: The session's timeout passed.
            ProtocolError: The server's response breaks the standard.
            StorageError: The saved session could not be read.
        """
    async def authorize_async(self, url: str) -> Authorization:
        """Does what ``authorize`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def authorize_if_served(self, url: str) -> Authorization | None:
        """Returns what ``authorize`` returns, or None if no credential may go to this URL.

        For programs and adapters that also send requests to other hosts. Blocks only if there is
        no valid token. Other threads run meanwhile, and Ctrl-C works.

        Args:
            url: The URL of the request.

        Raises:
            InvalidArgumentError: This is not a URL.
            Error: As in ``authorize``, except ``HostRefusedError``.
        """
    async def authorize_if_served_async(self, url: str) -> Authorization | None:
        """Does what ``authorize_if_served`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def authorize_cached(self, url: str) -> Authorization | None:
        """Returns what ``authorize`` returns, or None if there is no valid token.

        Never blocks for the network or for another thread.

        Args:
            url: The URL of the request.

        Raises:
            InvalidArgumentError: This is not a URL.
            HostRefusedError: No credential of this session may go to this URL.
        """
    def headers(self, url: str) -> dict[str, str]:
        """Returns the headers of a request to this URL, as a new dictionary.

        Blocks only if there is no valid token. Other threads run meanwhile, and Ctrl-C works.

        Args:
            url: The URL of the request.

        Raises:
            InvalidArgumentError: This is not a URL, or the API key is sent in the URL.
            Error: As in ``authorize``.
        """
    async def headers_async(self, url: str) -> dict[str, str]:
        """Does what ``headers`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def signed_url(self, url: str) -> str:
        """Returns the URL with the API key as its ``api_key`` parameter.

        For tile clients that cannot set headers. Never blocks.

        Args:
            url: The URL of the request. It may be a template with ``{z}/{x}/{y}``.

        Raises:
            InvalidArgumentError: This is not a URL.
            HostRefusedError: The key must not go to this URL.
            UnsupportedError: The session has no API key.
        """
    def access_token(self) -> str:
        """Returns the access token itself. It is a secret.

        Blocks only if there is no valid token. Other threads run meanwhile, and Ctrl-C works.

        Raises:
            UnsupportedError: The session has API keys only.
            Error: As in ``authorize``.
        """
    async def access_token_async(self) -> str:
        """Does what ``access_token`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def api_key(self) -> str:
        """Returns the API key itself. It is a secret.

        Raises:
            UnsupportedError: The session has no API key.
        """
    def invalidate(self, access_token: str) -> bool:
        """Takes a token out of use that an API refused. The next call refreshes it.

        Args:
            access_token: The token that was refused.

        Returns:
            False if the session has another token already.

        Raises:
            UnsupportedError: The session has API keys only.
        """
    def after_response(
        self, authorization: Authorization, http_status: int, www_authenticate: str | None = None
    ) -> Authorization | None:
        """Decides what follows an API's response: whether to repeat the request, and with what.

        A 401 takes the access token out of use, unless its Bearer challenge names an error other
        than ``invalid_token`` (RFC 6750, 3.1). Any other status is final. Blocks while the token is
        refreshed. Other threads run meanwhile, and Ctrl-C works.

        Args:
            authorization: What the request carried.
            http_status: The HTTP status of the response.
            www_authenticate: The ``WWW-Authenticate`` header of the response. Several values are
                joined by commas.

        Returns:
            The authorization to repeat the request with, once. None if the response is final.

        Raises:
            InvalidArgumentError: This is not an HTTP status.
            Error: The refresh failed, as in ``authorize``.
        """
    async def after_response_async(
        self, authorization: Authorization, http_status: int, www_authenticate: str | None = None
    ) -> Authorization | None:
        """Does what ``after_response`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    # For the adapters of HTTP clients that follow redirects.
    def _after_api_response(
        self,
        url: str,
        sent: str | None,
        http_status: int,
        www_authenticate: str | None,
        can_repeat: bool,
    ) -> Authorization | None: ...
    async def _after_api_response_async(
        self,
        url: str,
        sent: str | None,
        http_status: int,
        www_authenticate: str | None,
        can_repeat: bool,
    ) -> Authorization | None: ...
    def _after_api_response_cached(
        self,
        url: str,
        sent: str | None,
        http_status: int,
        www_authenticate: str | None,
        can_repeat: bool,
    ) -> tuple[Authorization | None] | None: ...
    def _is_served(self, url: str) -> bool: ...
    # For planetkey.dask.
    def _delegated_token(self, rejected_token: str | None) -> tuple[str, float]: ...
    async def _delegated_token_async(self, rejected_token: str | None) -> tuple[str, float]: ...
    def _delegated_token_cached(
        self, rejected_token: str | None
    ) -> tuple[tuple[str, float]] | None: ...
    def _delegation_policy(self) -> str: ...
    def refresh(self) -> None:
        """Refreshes the access token now.

        Blocks. Threads that call it at the same time share one request. Other threads run
        meanwhile, and Ctrl-C works.

        Raises:
            UnsupportedError: The session has API keys only.
            Error: As in ``authorize``.
        """
    async def refresh_async(self) -> None:
        """Does what ``refresh`` does, without blocking the event loop.

        Cancelling the task cancels the call. A refresh in progress finishes in the background.
        """
    def login(
        self,
        *,
        method: Literal["auto", "browser", "device", "paste"] | None = None,
        open_browser: bool | None = None,
        scopes: Iterable[str] | None = None,
        prompt: Callable[[Prompt], str | None] | None = None,
        timeout: float | timedelta | None = None,
        force: bool | None = None,
        allow_other_user: bool | None = None,
        page: str | None = None,
    ) -> LoginResult:
        """Logs the user in if that is necessary.

        Does nothing if the saved session is valid, and refreshes it if that is enough. Otherwise
        it prompts the user: it opens a browser if there is one, or shows a code for any device,
        or asks for the address that a browser ended at. Blocks until the user has logged in;
        Ctrl-C cancels.

        Args:
            method: ``"auto"``, ``"browser"``, ``"device"`` or ``"paste"``.
            open_browser: Whether to open a browser. By default if there is one.
            scopes: The scopes to request. By default those of the client.
            prompt: A callable that shows a ``Prompt`` to the user, and returns the answer if one
                is expected. It runs on the thread of this call.
            timeout: Seconds, as a number or a ``timedelta``, that the user has.
            force: Prompt the user also if the saved session is valid.
            allow_other_user: Whether a different user may replace the saved session. By default
                the prompt asks.
            page: HTML to show in the browser after the login.

        Raises:
            InvalidArgumentError: An argument is wrong.
            LoginRequiredError: A prompt is necessary, but there is none; or the code expired.
            DeniedError: The user or the server refused, or a different user logged in.
            UnsupportedError: The client cannot log in in this way.
            Error: As in ``DeviceLogin.wait`` and ``BrowserLogin.wait``.
        """
    async def login_async(
        self,
        *,
        method: Literal["auto", "browser", "device", "paste"] | None = None,
        open_browser: bool | None = None,
        scopes: Iterable[str] | None = None,
        prompt: Callable[[Prompt], str | None] | None = None,
        timeout: float | timedelta | None = None,
        force: bool | None = None,
        allow_other_user: bool | None = None,
        page: str | None = None,
    ) -> LoginResult:
        """Does what ``login`` does, without blocking the event loop.

        ``prompt`` runs on another thread, so it may block. Cancelling the task cancels the login,
        after ``prompt`` has returned.
        """
    def start_device_login(
        self,
        *,
        scopes: Iterable[str] | None = None,
        prompt: Callable[[Prompt], str | None] | None = None,
        timeout: float | timedelta | None = None,
        allow_other_user: bool | None = None,
    ) -> DeviceLogin:
        """Starts a login with a code that the user enters on any device (RFC 8628).

        Blocks for the request of the code.

        Args:
            scopes: The scopes to request. By default those of the client.
            prompt: A callable that answers whether a different user may replace the saved session.
            timeout: Seconds, as a number or a ``timedelta``, that the user has. At most until the
                code expires.
            allow_other_user: Whether a different user may replace the saved session.

        Raises:
            UnsupportedError: The client or the server does not offer this login.
            MisconfiguredError: The server does not accept the client or its scopes.
            UnavailableError: The server cannot be used now.
            TimeoutError: The session's timeout passed.
            ProtocolError: The server's response breaks the standard.
        """
    async def start_device_login_async(
        self,
        *,
        scopes: Iterable[str] | None = None,
        prompt: Callable[[Prompt], str | None] | None = None,
        timeout: float | timedelta | None = None,
        allow_other_user: bool | None = None,
    ) -> DeviceLogin:
        """Does what ``start_device_login`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def start_browser_login(
        self,
        *,
        scopes: Iterable[str] | None = None,
        prompt: Callable[[Prompt], str | None] | None = None,
        timeout: float | timedelta | None = None,
        allow_other_user: bool | None = None,
        page: str | None = None,
    ) -> BrowserLogin:
        """Starts a login in a browser. It does not open the browser.

        Blocks for the server's metadata.

        Args:
            scopes: The scopes to request. By default those of the client.
            prompt: A callable that answers whether a different user may replace the saved session.
            timeout: Seconds, as a number or a ``timedelta``, that the user has.
            allow_other_user: Whether a different user may replace the saved session.
            page: HTML to show in the browser after the login.

        Raises:
            UnsupportedError: The client or the server does not offer this login.
            MisconfiguredError: The client has no redirect URI that this computer can serve.
            UnavailableError: The server cannot be used now, or the port is in use.
            TimeoutError: The session's timeout passed.
            ProtocolError: The server's response breaks the standard.
        """
    async def start_browser_login_async(
        self,
        *,
        scopes: Iterable[str] | None = None,
        prompt: Callable[[Prompt], str | None] | None = None,
        timeout: float | timedelta | None = None,
        allow_other_user: bool | None = None,
        page: str | None = None,
    ) -> BrowserLogin:
        """Does what ``start_browser_login`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def logout(self, *, revoke: bool = True) -> LogoutResult:
        """Deletes the tokens, in memory and where they are saved, for every process.

        It revokes the refresh token first (RFC 7009). A server that cannot be reached does not
        prevent the logout; the result says so. The configuration of a client stays, so an M2M
        client requests new tokens with its next call. Blocks until a refresh in progress has
        finished; Ctrl-C cancels.

        Args:
            revoke: Whether to revoke the refresh token.

        Raises:
            UnsupportedError: The session has API keys only.
            TimeoutError: The session's timeout passed.
            StorageError: The tokens could not be deleted.
        """
    async def logout_async(self, *, revoke: bool = True) -> LogoutResult:
        """Does what ``logout`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def userinfo(self) -> dict[str, Any]:
        """Returns what the server says of the user (OpenID Connect Core, 5.3).

        ``sub``, and by scope the name, the e-mail address and more. Blocks; Ctrl-C cancels.

        Raises:
            UnsupportedError: The session is not a user's, or the server has no userinfo endpoint.
            LoginRequiredError: The user must log in.
            MisconfiguredError: The scope ``openid`` was not granted.
            TokenInvalidError: The response is about a different user.
            UnavailableError: The server cannot be used now.
            TimeoutError: The session's timeout passed.
            ProtocolError: The server's response breaks the standard.
        """
    async def userinfo_async(self) -> dict[str, Any]:
        """Does what ``userinfo`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def id_token_claims(self) -> dict[str, Any]:
        """Returns the claims of the session's ID token, verified with the server's keys.

        The ID token may be older than the access token, so its expiry means nothing. Blocks if
        the keys are not cached; Ctrl-C cancels.

        Raises:
            UnsupportedError: The session is not a user's, or the server has no keys.
            LoginRequiredError: The user must log in.
            MisconfiguredError: The scope ``openid`` was not requested.
            TokenInvalidError: The token failed validation.
            UnavailableError: The server cannot be used now.
            TimeoutError: The session's timeout passed.
            ProtocolError: The server's response breaks the standard.
        """
    async def id_token_claims_async(self) -> dict[str, Any]:
        """Does what ``id_token_claims`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def introspect(self, token: str | None = None) -> dict[str, Any]:
        """Returns what the server says of a token (RFC 7662).

        Blocks; Ctrl-C cancels.

        Args:
            token: The token. By default the session's access token.

        Returns:
            A dictionary with ``active``, and for an active token its scope, expiry and more.

        Raises:
            InvalidArgumentError: The token is empty.
            UnsupportedError: The session has API keys only, or the server has no introspection.
            MisconfiguredError: The server does not let this client introspect.
            UnavailableError: The server cannot be used now.
            TimeoutError: The session's timeout passed.
            ProtocolError: The server's response breaks the standard.
        """
    async def introspect_async(self, token: str | None = None) -> dict[str, Any]:
        """Does what ``introspect`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def status(self) -> SessionStatus:
        """Returns what this session is, without a secret. Reads files; uses no network."""
    def is_initialized(self) -> bool:
        """Returns whether the session can authorize a request without a login.

        Reads files; uses no network.
        """
    def __call__(self, request: _R, /) -> _R: ...
    requires_request_body: bool
    requires_response_body: bool
    def auth_flow(self, request: Request) -> Generator[Request, Response]:
        """Does what ``sync_auth_flow`` does.

        For classes that combine several ``auth`` objects of ``httpx``. Blocks if there is no valid
        token.
        """
    def sync_auth_flow(self, request: Request) -> Generator[Request, Response]:
        """Authorizes a request of ``httpx.Client``.

        Repeats it once if an API refuses the token. Blocks if there is no valid token.
        """
    def async_auth_flow(self, request: Request) -> AsyncGenerator[Request, Response]:
        """Authorizes a request of ``httpx.AsyncClient``, without blocking the event loop."""
    def with_timeout(self, timeout: float | timedelta) -> Session:
        """Returns the same session with another timeout.

        Both share their tokens.

        Args:
            timeout: Seconds, as a number or a ``timedelta``, within which every call through the
                new handle ends. More than a day means a day, less than a millisecond means one.

        Raises:
            InvalidArgumentError: ``timeout`` is negative, not a number or too large.
        """
    def __copy__(self) -> Session: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Session: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Gdal:
    """A session that authorizes the requests of GDAL, until ``uninstall()``.

    As a context manager, until the end of the block. It stays installed if the program drops this
    object.
    """
    @property
    def last_error(self) -> Error | None:
        """Why GDAL's last request without a credential had none.

        None if there was no such request since the installation or the last ``refresh()``.
        """
    def refresh(self) -> None:
        """Clears what GDAL has cached about the session's hosts.

        That includes files that it could not read. Call it after a login, or when something
        changed at a host. It also installs the session in a GDAL that was imported later.

        Raises:
            InvalidArgumentError: The session was uninstalled.
        """
    def path(self, url: str) -> str:
        """Returns the name with which GDAL opens this URL with the session's credential.

        Call it immediately before opening. Blocks only if there is no valid token; Ctrl-C works.

        Args:
            url: The URL of the dataset.

        Raises:
            InvalidArgumentError: This is not a URL, or the session was uninstalled.
            Error: As in ``Session.authorize``.
        """
    async def path_async(self, url: str) -> str:
        """Does what ``path`` does, without blocking the event loop.

        Cancelling the task cancels the call.
        """
    def uninstall(self) -> None:
        """Restores the options of GDAL.

        Datasets that are still open send their next requests without a credential.
        """
    def __enter__(self) -> Gdal: ...
    def __exit__(self, *_exception: object) -> None: ...

@final
class Cancellation:
    """Cancels the calls that another thread makes inside this object's ``with`` block.

    Every call of planetkey that may block looks at it. A cancelled one raises ``CancelledError``
    within a moment.
    """
    def __new__(cls) -> Cancellation: ...
    def cancel(self) -> None:
        """Cancels the calls in progress and those that start later."""
    def __enter__(self) -> Cancellation: ...
    def __exit__(self, *_exception: object) -> None: ...

def gdal_install(
    session: Session,
    *,
    scope: Literal["hosts", "paths", "every_host"] = "hosts",
    header: Literal["live", "at_open"] = "live",
    hosts: Iterable[str] | None = None,
    fetch: bool = True,
) -> Gdal:
    """Installs a session in every GDAL of this process.

    What is opened as ``https://`` or ``/vsicurl/https://`` at one of the session's hosts carries
    its credential, with the current token for as long as the dataset is open. Import rasterio, or
    what else contains GDAL, before.

    Args:
        session: The session.
        scope: Where GDAL's options are set: for the session's hosts (``"hosts"``), for names from
            ``Gdal.path`` (``"paths"``), or for all requests (``"every_host"``).
        header: When the session is asked: before each request (``"live"``), or when a dataset is
            opened (``"at_open"``).
        hosts: Only these of the session's hosts.
        fetch: Whether GDAL's threads may block to get a token.

    Raises:
        InvalidArgumentError: An argument is wrong, or a session is installed for a host already.
        UnsupportedError: There is no GDAL, or it cannot do this.
    """

def strip_api_key(url: str) -> str:
    """Returns the URL without its ``api_key`` parameters.

    The rest of the URL stays as it is.

    Args:
        url: Any URL.
    """

def redact_url(url: str) -> str:
    """Returns the URL without secrets, for logs.

    The user information and the values of ``api_key`` and other secret parameters are replaced.

    Args:
        url: Any URL.
    """

def settle(timeout: float | timedelta = 5.0) -> bool:
    """Waits until the refreshes of user sessions in this process have finished.

    The interpreter does this when it ends, and so does a worker of ``multiprocessing``. Call it in
    programs that end by ``os._exit``: a refresh that is cut off between the server's response and
    the save may end the session. Blocks; Ctrl-C works.

    Args:
        timeout: Seconds to wait, as a number or a ``timedelta``. More than a day means a day.

    Returns:
        Whether all have finished.

    Raises:
        InvalidArgumentError: ``timeout`` is negative, not a number or too large.
    """

async def settle_async(timeout: float | timedelta = 5.0) -> bool:
    """Does what ``settle`` does, without blocking the event loop.

    Cancelling the task cancels the call.
    """

def connect(dispatcher: ModuleType) -> None:
    """Sets the module whose functions the native classes call. The package does so at import."""

def end() -> None:
    """Ends the use of the interpreter. The package registers it with ``atexit``."""

def exception_classes() -> dict[int, type[Error]]:
    """Returns the exception class of every status, by its number. For tests."""
