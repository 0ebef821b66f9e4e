"""oidc-provider from npm: a certified OpenID provider."""

import json
from pathlib import Path
from typing import Any

from server import HERE, KEYS, SECRET, Process, Server, call
from user import User


class OidcProvider(Server):
    """The server of `oidc-provider/server.mjs`."""

    name = "oidc-provider"
    scopes = ("planet", "openid", "profile", "email", "offline_access")
    # The server names no interval, so RFC 8628 3.2 applies.
    device_interval_ms = 5000
    # The server introspects an access token for an API as that API.
    granted = ("planet",)

    def __init__(self, directory: Path) -> None:
        settings = directory / "settings.json"
        keys = {"rsa": str(KEYS / "client-rsa.pem"), "ec": str(KEYS / "client-ec.pem")}
        settings.write_text(json.dumps({"secret": SECRET, "assertion_keys": keys}))
        self._process = Process(
            ["node", HERE / "oidc-provider" / "server.mjs", settings], directory / "log"
        )
        self._control = ""

    def wait(self) -> None:
        if not self._control:
            facts = json.loads(self._process.read_until(b"issuer"))
            self.issuer, self._control = facts["issuer"], facts["control"]

    def end(self) -> None:
        self._process.end()

    def user(self) -> User:
        # The server's pages accept any name and password.
        return User("user", "correct horse battery staple")

    def is_active(self, token: str) -> bool:
        # Tokens for an API are JWTs, which this server does not introspect: an API validates them
        # itself.
        if token.count(".") == 2:
            return call(self._control + "/is-accepted", data=token.encode()).json is True
        return super().is_active(token)

    def token_requests(self, client_id: str, grant_type: str) -> list[str | None]:
        requests: list[dict[str, Any]] = call(self._control + "/token-requests").json
        asked = {"client_id": client_id, "grant_type": grant_type}
        return [request["error"] for request in requests if asked.items() <= request.items()]

    def forget_requests(self) -> None:
        assert call(self._control + "/forget-requests", {}).status == 200

    def rotate_keys(self) -> None:
        assert call(self._control + "/rotate-keys", {}).status == 200
