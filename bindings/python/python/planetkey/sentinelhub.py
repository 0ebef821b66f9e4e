"""A session for ``sentinelhub``, instead of the one that it opens itself.

    import planetkey.sentinelhub
    from sentinelhub import SentinelHubCatalog, SentinelHubDownloadClient

    session = planetkey.Session.from_defaults()
    SentinelHubDownloadClient.cache_session(planetkey.sentinelhub.Session(session), universal=True)
    print(SentinelHubCatalog().get_collections())

``sentinelhub`` does not repeat a request after a 401. If a token is revoked before it expires, call
``session.refresh()``. An entry of ``.netrc`` for one of its hosts is an error, because ``requests``
would send it instead of the token.
"""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import urlsplit

from requests.utils import get_netrc_auth
from sentinelhub.config import SHConfig
from sentinelhub.download import SentinelHubSession
from sentinelhub.download.session import SessionSharingThread

import planetkey
from planetkey.errors import Error, MisconfiguredError, UnsupportedError

__all__ = ["Session", "token"]

# How long `SessionSharing` waits before it looks at a token again that expires soon.
_SHARING_SECONDS = 1.0


def token(
    session: planetkey.Session, base_url: str = "https://services.sentinel-hub.com"
) -> dict[str, Any]:
    """Return the current token as ``SentinelHubSession.from_token`` takes it.

    Nothing refreshes it there. If the session has several credentials, it is the one for
    ``base_url``. Blocks only if there is no valid token.
    """
    authorization = session.authorize(base_url)
    expires_at = authorization.expires_at
    if authorization.access_token is None or expires_at is None:
        raise UnsupportedError(
            "the session has an API key for this base_url, but sentinelhub sends tokens only; "
            "use an M2M client"
        )
    return {
        "access_token": authorization.access_token,
        "token_type": "Bearer",
        "expires_at": expires_at.timestamp(),
    }


class Session(SentinelHubSession):
    """A ``SentinelHubSession`` whose token is always the current one of a planetkey session.

    Use it for one client with ``SentinelHubDownloadClient(session=...)``, or for all with
    ``SentinelHubDownloadClient.cache_session(..., universal=True)``. It opens no connection itself.
    It can be pickled if the planetkey session can.
    """

    def __init__(self, session: planetkey.Session, config: SHConfig | None = None) -> None:
        # The base class would request a token at once, with a client id and secret.
        self.config = config or SHConfig()
        self.refresh_before_expiry = self.DEFAULT_SECONDS_BEFORE_EXPIRY
        self.session = session
        # The token that was refreshed because it expired too soon, or the new one.
        self._settled: str | None = None
        self._shared: str | None = None
        # Other hosts that may get the token: a collection can be in another region. The Planet API
        # is none of them, so its entry in .netrc may stay.
        hosts = (served.host for served in session.status().hosts)
        self._regions = tuple(
            f"https://{host}" for host in hosts if not host.endswith(".planet.com")
        )

    @classmethod
    def from_token(cls, token: dict[str, Any]) -> SentinelHubSession:
        """Return a ``SentinelHubSession`` of this token only. Nothing refreshes it."""
        return SentinelHubSession.from_token(token)

    @property
    def token(self) -> dict[str, Any]:
        """The current token, for the service that the configuration names.

        A token that expires within ``refresh_before_expiry`` seconds is refreshed first, once. A
        server may issue shorter ones, and a token is valid until it expires.
        """
        current = token(self.session, self.config.sh_base_url)
        if self._expires_soon(current) and current["access_token"] != self._settled:
            self._settled = current["access_token"]
            try:
                self.session.refresh()
            except Error as error:
                if not error.retryable:
                    raise
            current = token(self.session, self.config.sh_base_url)
            if self._expires_soon(current):
                self._settled = current["access_token"]
        self._slow_down(current)
        return current

    def _expires_soon(self, current: dict[str, Any]) -> bool:
        margin = self.refresh_before_expiry
        return margin is not None and current["expires_at"] - time.time() <= margin

    def _slow_down(self, current: dict[str, Any]) -> None:
        """Make ``SessionSharing`` wait. It asks again at once if the token expires soon."""
        thread: Any = threading.current_thread()
        if not isinstance(thread, SessionSharingThread) or not self._expires_soon(current):
            return
        if current["access_token"] == self._shared:
            # Its `join` ends this wait.
            thread._stop_event.wait(_SHARING_SECONDS)
        self._shared = current["access_token"]

    @property
    def session_headers(self) -> dict[str, str]:
        """The headers of a request.

        Raises ``MisconfiguredError`` if ``requests`` would send an entry of ``.netrc`` instead.
        """
        for url in (self.config.sh_base_url, *self._regions):
            if get_netrc_auth(url) is not None:
                raise MisconfiguredError(
                    f"your .netrc has an entry for {urlsplit(url).hostname}, which sentinelhub "
                    "would send instead of the token; remove the entry, or set NETRC to a file "
                    "without it"
                )
        headers: dict[str, str] = super().session_headers
        return headers
