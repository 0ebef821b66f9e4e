"""Which id and secret go to which server with planetkey and sentinelhub-py, for all settings."""

import json
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs

import planetkey
import pytest
import tomli_w
from sentinelhub import SHConfig

from both import put

DEFAULT_URL = SHConfig(use_defaults=True).sh_token_url
ENVIRONMENT = {"sh_client_id": "SH_CLIENT_ID", "sh_client_secret": "SH_CLIENT_SECRET"}
Sent = tuple[str, str, str]


class TokenEndpoint:
    """Issues tokens at every path, and records each request."""

    def __init__(self) -> None:
        sent: list[Sent] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                sent.append((self.path, form["client_id"][0], form["client_secret"][0]))
                body = json.dumps(
                    {"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.sent = sent
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def endpoint(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenEndpoint]:
    """One server for all of them. The path identifies the default one."""
    endpoint = TokenEndpoint()
    server = {
        "subject": "m2m",
        "issuer": f"{endpoint.url}/realm",
        "token_endpoint": f"{endpoint.url}/default",
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }
    deployment = {"name": "loopback", "authorization_servers": [server], "resource_servers": []}
    monkeypatch.setenv("PLANETKEY_DEPLOYMENT", json.dumps(deployment))
    monkeypatch.setenv("PLANETKEY_ALLOW_INSECURE_LOOPBACK", "1")
    yield endpoint
    endpoint.stop()


def by_sentinelhub(endpoint: TokenEndpoint) -> Sent | None:
    """What `SentinelHubSession` would send; None without a client."""
    with warnings.catch_warnings():
        # The former setting.
        warnings.simplefilter("ignore")
        config = SHConfig()
    if not (config.sh_client_id and config.sh_client_secret):
        return None
    path = (
        "/default"
        if config.sh_token_url == DEFAULT_URL
        else config.sh_token_url.removeprefix(endpoint.url)
    )
    return path, config.sh_client_id, config.sh_client_secret


def by_ours(endpoint: TokenEndpoint) -> Sent | None:
    endpoint.sent.clear()
    try:
        session = planetkey.Session.from_defaults(save=False)
    except planetkey.MisconfiguredError as error:
        if "set both" not in error.message:
            raise
        return None
    if not session.status().sources:
        return None
    session.refresh()
    [sent] = endpoint.sent
    return sent


@pytest.mark.parametrize("profile", [None, "work"])
def test_i9_15_every_combination_of_settings_and_places(
    endpoint: TokenEndpoint, home: Path, monkeypatch: pytest.MonkeyPatch, profile: str | None
) -> None:
    settings = {
        "sh_client_id": "section-id",
        "sh_client_secret": "section-secret",
        "sh_token_url": f"{endpoint.url}/token",
        "sh_auth_base_url": f"{endpoint.url}/auth",
        "sh_base_url": f"{endpoint.url}/base",
    }
    # What the other section says does not count.
    decoy = dict.fromkeys(settings, f"{endpoint.url}/decoy")
    section, other = (
        ("default-profile", "work") if profile is None else (profile, "default-profile")
    )
    if profile is not None:
        monkeypatch.setenv("SH_PROFILE", profile)
    seen = set()
    for in_section, in_environment in product(
        product([False, True], repeat=5), product([False, True], repeat=2)
    ):
        chosen = {
            name: value
            for (name, value), is_set in zip(settings.items(), in_section, strict=True)
            if is_set
        }
        config = {section: chosen, other: decoy}
        put(home / ".config" / "sentinelhub" / "config.toml", tomli_w.dumps(config))
        for (name, variable), is_set in zip(ENVIRONMENT.items(), in_environment, strict=True):
            if is_set:
                monkeypatch.setenv(variable, f"environment-{name.removeprefix('sh_client_')}")
            else:
                monkeypatch.delenv(variable, raising=False)
        expected = by_sentinelhub(endpoint)
        assert by_ours(endpoint) == expected, (chosen, in_environment)
        seen.add(expected)
    # Each server met each id and secret.
    assert len(seen) == 1 + 3 * 4
