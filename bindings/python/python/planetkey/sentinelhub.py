"""A session for ``sentinelhub``, in place of the one that it opens itself.

    import planetkey.sentinelhub
    from sentinelhub import SentinelHubCatalog, SentinelHubDownloadClient

    session = planetkey.Session.from_defaults()
    SentinelHubDownloadClient.cache_session(planetkey.sentinelhub.Session(session), universal=True)
    print(SentinelHubCatalog().get_collections())

``sentinelhub`` takes a 401 for final. Where tokens are revoked before they expire, call ``session.refresh()`` then. An
entry of ``.netrc`` for a host that it may ask, which would be sent in the token's place, is an error.
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
    """Gives the current token in the form that ``SentinelHubSession.from_token`` takes, for where it cannot be renewed.

    Of a session with several credentials it is the one for ``base_url``.
    """
    authorization = session.authorize(base_url)
    expires_at = authorization.expires_at
    if authorization.access_token is None or expires_at is None:
        raise UnsupportedError(
            "an API key goes to this base_url, and sentinelhub sends tokens only: give an M2M client"
        )
    return {
        "access_token": authorization.access_token,
        "token_type": "Bearer",
        "expires_at": expires_at.timestamp(),
    }


class Session(SentinelHubSession):
    """A ``SentinelHubSession`` whose token is always the current one of a planetkey session.

    It goes wherever ``sentinelhub`` takes a session: ``SentinelHubDownloadClient(session=...)`` for one client, or
    ``SentinelHubDownloadClient.cache_session(..., universal=True)`` for all. It opens no connection itself, and can be
    pickled if the planetkey session can.
    """

    def __init__(self, session: planetkey.Session, config: SHConfig | None = None) -> None:
        # The base class would ask for a token at once, with a client id and secret.
        self.config = config or SHConfig()
        self.refresh_before_expiry = self.DEFAULT_SECONDS_BEFORE_EXPIRY
        self.session = session
        # The token that was refreshed because it expired too soon, or that took its place.
        self._settled: str | None = None
        self._shared: str | None = None
        # What may be asked with the token beside the base URL: a collection can be in another region. The Planet API is
        # none of it, and its entry in .netrc may stay.
        hosts = (served.host for served in session.status().hosts)
        self._regions = tuple(
            f"https://{host}" for host in hosts if not host.endswith(".planet.com")
        )

    @classmethod
    def from_token(cls, token: dict[str, Any]) -> SentinelHubSession:
        """A ``SentinelHubSession`` of this token alone, which nothing refreshes."""
        return SentinelHubSession.from_token(token)

    @property
    def token(self) -> dict[str, Any]:
        """The current token, for the service that the configuration names.

        A token that expires within ``refresh_before_expiry`` seconds is refreshed first. That is tried once: a server
        may issue shorter ones, and a token is good until it expires.
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
        """Makes ``SessionSharing`` wait, which asks again at once as long as the token expires soon."""
        thread: Any = threading.current_thread()
        if not isinstance(thread, SessionSharingThread) or not self._expires_soon(current):
            return
        if current["access_token"] == self._shared:
            # Its `join` ends this wait.
            thread._stop_event.wait(_SHARING_SECONDS)
        self._shared = current["access_token"]

    @property
    def session_headers(self) -> dict[str, str]:
        """The headers of a request. Raises ``MisconfiguredError`` where ``requests`` would send something else."""
        for url in (self.config.sh_base_url, *self._regions):
            if get_netrc_auth(url) is not None:
                raise MisconfiguredError(
                    f"your .netrc has an entry for {urlsplit(url).hostname}, which sentinelhub would send in place of "
                    "the token; remove the entry, or set NETRC to the path of a file without it"
                )
        headers: dict[str, str] = super().session_headers
        return headers
