"""planetkey as the client of a real server:

configuration, files and command, and a login without planetkey.
"""

import base64
import hashlib
import json
import os
import secrets
import subprocess
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import planetkey

from server import AUDIENCE, KEYS, SECRET, Server, call
from simulator import command
from user import Page, parameters

# An API that accepts the server's tokens. It is never called: the tests introspect the tokens
# instead.
API = "http://127.0.0.1:9/data/v1/item-types"
# The redirect URI of a login without planetkey.
REDIRECT_URI = "http://127.0.0.1:9/callback"
HOUR = 3600

Subject = Literal["user", "m2m"]
M2M: Subject = "m2m"
USER: Subject = "user"

KEY_FILES = {"m2m-rsa": KEYS / "client-rsa.pem", "m2m-ec": KEYS / "client-ec.pem"}


def deployment(server: Server, subject: Subject, **more: object) -> dict[str, Any]:
    """A deployment document with only the server's issuer."""
    hosts = {"hosts": ["127.0.0.1:9"], "user_token": "yes", "m2m_token": "yes", "api_key": "no"}
    authorization_server = {
        "subject": subject,
        "issuer": server.issuer,
        "audience": AUDIENCE,
        **more,
    }
    return {
        "name": "tests",
        "authorization_servers": [authorization_server],
        "resource_servers": [hosts],
    }


def as_built_in(server: Server) -> dict[str, Any]:
    """A deployment document with the same members as Planet's for services.sentinel-hub.com."""
    methods = ["client_secret_post", "private_key_jwt"]
    endpoint = server.endpoint("token_endpoint")
    return deployment(
        server, M2M, token_endpoint=endpoint, token_endpoint_auth_methods_supported=methods
    )


def options(document: Mapping[str, Any]) -> dict[str, Any]:
    """The options of every constructor in these tests."""
    return {"deployment": document, "allow_insecure_loopback": True}


def m2m_config(client_id: str, **more: object) -> dict[str, Any]:
    """An auth_client.json of an M2M client."""
    if client_id in KEY_FILES:
        kind, proof = (
            "oidc_client_credentials_pubkey",
            {"client_privkey_file": str(KEY_FILES[client_id])},
        )
    else:
        kind, proof = "oidc_client_credentials_secret", {"client_secret": SECRET}
    return {"client_type": kind, "client_id": client_id, **proof, **more}


def m2m_session(
    server: Server, client_id: str, document: Mapping[str, Any] | None = None, **more: object
) -> planetkey.Session:
    """The session of an M2M client that saves nothing."""
    chosen = deployment(server, M2M) if document is None else document
    return planetkey.Session.from_client_config(
        m2m_config(client_id, **more), save=False, **options(chosen)
    )


def bearer(headers: Mapping[str, str]) -> str:
    """The token in a header."""
    scheme, token = headers["Authorization"].split(" ")
    assert scheme == "Bearer"
    return token


class Grant:
    """A browser login without planetkey: the request with PKCE, and the exchange of the code."""

    def __init__(self, server: Server, client_id: str, *, audience: bool = True) -> None:
        self._server = server
        self._client_id = client_id
        self._verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self._verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        self._state = secrets.token_urlsafe(16)
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": " ".join(server.scopes),
            "state": self._state,
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if audience:
            asked["audience"] = AUDIENCE
        self.url = server.endpoint("authorization_endpoint") + "?" + urllib.parse.urlencode(asked)

    def exchange(self, page: Page) -> dict[str, Any]:
        """Exchanges the code of the redirect at the token endpoint."""
        assert page.url.startswith(REDIRECT_URI), page
        response = parameters(page.url)
        assert (response["state"], response["iss"]) == (self._state, self._server.issuer)
        form = {
            "grant_type": "authorization_code",
            "code": response["code"],
            "redirect_uri": REDIRECT_URI,
            "client_id": self._client_id,
            "code_verifier": self._verifier,
        }
        tokens = call(self._server.endpoint("token_endpoint"), form)
        assert tokens.status == 200, tokens
        return dict(tokens.json)


def log_in_by_hand(
    server: Server, client_id: str = "user", *, audience: bool = True
) -> dict[str, Any]:
    """Gets a user's tokens without planetkey."""
    grant = Grant(server, client_id, audience=audience)
    return grant.exchange(server.user().go_through(grant.url))


class Profile:
    """A user's profile on disk, as Planet's SDK writes it, and the programs that use it."""

    name = "here"

    def __init__(
        self,
        server: Server,
        home: Path,
        *,
        client_id: str = "user",
        kind: str | None = None,
        audience: bool = True,
    ) -> None:
        if kind is None:
            kind = "oidc_device_code" if client_id == "device" else "oidc_auth_code"
        self.server = server
        self.document = deployment(server, USER, **({} if audience else {"audience": None}))
        self._deployment = home / "deployment.json"
        self._deployment.write_text(json.dumps(self.document))
        self.directory = home / ".planet" / self.name
        self.directory.mkdir(parents=True, mode=0o700)
        self.file = self.directory / "token.json"
        self.client = {
            "client_type": kind,
            "client_id": client_id,
            "auth_server": server.issuer,
            "scopes": list(server.scopes),
        }
        self._write("auth_client.json", self.client)

    def _write(self, name: str, members: Mapping[str, Any]) -> None:
        file = self.directory / name
        file.touch(mode=0o600)
        file.write_text(json.dumps(members, indent=2, sort_keys=True))

    def save(self, tokens: Mapping[str, Any], *, expired: bool = True) -> None:
        """Writes `token.json`, with an expired access token or the issued one."""
        issued = int(time.time()) - (2 * HOUR if expired else 0)
        times = {"_iat": issued, "_exp": issued + HOUR, "expires_in": HOUR}
        # The times in a JWT take precedence over those in the file.
        over = {"access_token": "an-old-one"} if expired else {}
        self._write("token.json", {**tokens, **times, **over})

    def saved(self) -> dict[str, Any]:
        """The content of `token.json`."""
        return dict(json.loads(self.file.read_bytes()))

    def open(self) -> planetkey.Session:
        """Opens another session of the profile, in this process."""
        return planetkey.Session.from_profile(self.name, **options(self.document))

    def environment(self) -> dict[str, str]:
        """The environment in which a program finds this profile."""
        variables = {
            "PL_AUTH_PROFILE": self.name,
            "PLANETKEY_DEPLOYMENT": str(self._deployment),
            "PLANETKEY_ALLOW_INSECURE_LOOPBACK": "1",
        }
        return {**os.environ, **variables}

    def run(self, *arguments: str) -> str:
        """The output of the command."""
        line: list[str | Path] = [command(), *arguments]
        done = subprocess.run(
            line, env=self.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")
