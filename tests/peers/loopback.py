"""planetkey's sessions for the simulator's own addresses, and the requests that its servers got."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import planetkey

from simulator import Simulator

# A response that makes a refresh fail. The session remembers that for a moment.
NO_TOKEN: dict[str, Any] = {"json": {}}
CHALLENGE = {"status": 401, "headers": {"WWW-Authenticate": 'Bearer error="invalid_token"'}}


class Loopback:
    """A Planet that replaces the real one, as the environment names it."""

    def __init__(self, simulator: Simulator, home: Path) -> None:
        self.simulator = simulator
        self.home = home
        self.planet = simulator.planet_api + "/data/v1/item-types"
        self.sentinel_hub = simulator.sentinel_hub_api + "/api/v1/catalog"
        # No credential may go there: it is a foreign server, behind the simulator's proxy.
        self.foreign = "https://as.example/elsewhere"

    def tls(self) -> ssl.SSLContext:
        """Trust in the simulator, for clients that read their environment too early."""
        return ssl.create_default_context(cafile=self.simulator.ca)

    def both(self) -> planetkey.Session:
        """An M2M client for one domain and an API key for the other."""
        return planetkey.Session.from_defaults(allow_insecure_loopback=True)

    def m2m(self) -> planetkey.Session:
        """The M2M client alone."""
        return planetkey.Session.from_m2m(
            self.simulator.client_id, self.simulator.client_secret, allow_insecure_loopback=True
        )

    def key(self, transport: Literal["basic", "header", "query"] = "basic") -> planetkey.Session:
        """The API key alone."""
        return planetkey.Session.from_api_key(
            self.simulator.api_key, transport=transport, allow_insecure_loopback=True
        )

    def redirect(self, start: str, to: str) -> str:
        """A URL at the server of `start` that redirects an authenticated request."""
        return (
            f"{urlsplit(start).scheme}://{urlsplit(start).netloc}/redirect?{urlencode({'to': to})}"
        )

    def write_netrc(self) -> None:
        """Another credential for this computer, which `curl` and `requests` find by themselves."""
        file = self.home / ".netrc"
        file.write_text("machine 127.0.0.1 login another password else\n")
        file.chmod(0o600)

    def revoke(self) -> None:
        """Makes the APIs refuse every token that was issued."""
        self.simulator.revoke(all=True)

    @property
    def token_requests(self) -> int:
        """How many tokens the M2M client got."""
        return self.simulator.count("m2m.token")

    def requests(self, target: str) -> int:
        """How many requests `planet_api`, `sentinel_hub_api` or the foreign `as.other` got."""
        return self.simulator.count(target)

    def queries(self, target: str) -> list[str | None]:
        """The query of each request to a server, if there was one."""
        return [entry["query"] for entry in self.simulator.requests(target)]

    def authorizations(self, target: str) -> list[str | None]:
        """The `Authorization` of each request to a server."""
        return authorizations(self.simulator, target)


def authorizations(simulator: Simulator, target: str) -> list[str | None]:
    """The `Authorization` of each request to a server of the simulator."""
    return [_authorization(entry["headers"]) for entry in simulator.requests(target)]


def _authorization(headers: Any) -> str | None:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    (value,) = [value for name, value in pairs if name.lower() == "authorization"] or (None,)
    return value
