"""The simulator as a process, and its control API."""

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

REPOSITORY = Path(__file__).resolve().parents[2]

# Variables of the developer must not affect a test, and no test may reach another host.
FOREIGN_VARIABLES = (
    "PL_AUTH_PROFILE",
    "PL_AUTH_CLIENT_ID",
    "PL_AUTH_CLIENT_SECRET",
    "PL_AUTH_CLIENT_SECRET_FILE",
    "PL_API_KEY",
    "PL_API_KEY_FILE",
    "PLANET_API_KEY",
    "PLANET_API_KEY_FILE",
    "SH_CLIENT_ID",
    "SH_CLIENT_SECRET",
    "SH_CLIENT_SECRET_FILE",
    "SH_PROFILE",
    "PLANETKEY_DEPLOYMENT",
    "PLANETKEY_ALLOW_INSECURE_LOOPBACK",
    "PLANETKEY_STORAGE_ROOT",
    "XDG_CONFIG_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "BROWSER",
    "DISPLAY",
    "WAYLAND_DISPLAY",
)


def simulator_binary() -> Path:
    """The simulator of PLANETKEY_SIMULATOR_BINARY, or of the release build."""
    named = os.environ.get("PLANETKEY_SIMULATOR_BINARY")
    return Path(named) if named else REPOSITORY / "target" / "release" / "planetkey-simulator"


def command() -> Path:
    """The `planetkey` command of the same build."""
    return simulator_binary().with_name("planetkey")


def clean_environment(home: Path | None = None) -> dict[str, str]:
    """An environment without the developer's variables, and with this home directory."""
    environment = {
        name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES
    }
    return environment if home is None else environment | {"HOME": str(home)}


class Simulator:
    """A running simulator."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.control: str = facts["control"]
        self.issuer: str = facts["m2m"]
        self.tls_issuer: str = facts["tls"]
        self.user_issuer: str = facts["user"]
        self.planet_api: str = facts["planet_api"]
        self.sentinel_hub_api: str = facts["sentinel_hub_api"]
        self.proxy: str = facts["proxy"]
        self.api_key: str = facts["api_key"]
        self.client_id: str = facts["client_id"]
        self.client_secret: str = facts["client_secret"]
        self.deployment = Path(facts["deployment"])
        self.ca = Path(facts["ca"])
        # Loopback uses no proxy, whatever the environment says.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with self._opener.open(
            urllib.request.Request(self.control + path, data=data), timeout=60
        ) as answer:
            return json.load(answer)

    def reset(self) -> None:
        self._call("/reset", {})

    def settings(self, **settings: object) -> None:
        self._call("/settings", settings)

    def script(self, target: str, *steps: Mapping[str, object], repeat: bool = False) -> None:
        self._call("/script", {"target": target, "steps": list(steps), "repeat": repeat})

    def release(self, hold: str) -> None:
        self._call("/release", {"hold": hold})

    def seed(self, **session: object) -> dict[str, Any]:
        """Starts a user session. Returns the token response that would end a login."""
        answer: dict[str, Any] = self._call("/sessions", session)
        return answer

    def session_of(self, token: str) -> dict[str, Any]:
        """The state of the session of a refresh token, old or current."""
        sessions: list[dict[str, Any]] = self._call(
            "/sessions?" + urllib.parse.urlencode({"token": token})
        )
        (session,) = sessions
        return session

    def sessions(self) -> list[dict[str, Any]]:
        """The state of every session."""
        sessions: list[dict[str, Any]] = self._call("/sessions")
        return sessions

    def register(self, **client: object) -> None:
        self._call("/clients", client)

    def log_in(self, **user: object) -> dict[str, Any]:
        """Logs in without a browser, with `authorization_url` or `user_code`."""
        answer: dict[str, Any] = self._call("/login", user)
        return answer

    def revoke(self, **what: object) -> None:
        self._call("/revoke", what)

    def token(self, **token: object) -> str:
        """A token signed with the simulator's key."""
        access_token: str = self._call("/token", token)["access_token"]
        return access_token

    def count(self, target: str) -> int:
        count: int = self._call("/counters").get(target, 0)
        return count

    def requests(self, target: str) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = self._call(
            "/requests?" + urllib.parse.urlencode({"target": target})
        )
        return requests

    def wait_held(self, hold: str, count: int = 1) -> None:
        """Waits until this number of requests waits in the hold. Fails after 50 seconds."""
        query = urllib.parse.urlencode({"held": hold, "count": count, "timeout_ms": 30_000})
        answer = self._call("/wait?" + query)
        assert answer["reached"], f"{answer['count']} of {count} requests came to {hold}"

    def wait_count(self, counter: str, count: int) -> None:
        """Waits until the counter reaches the number. Fails after 50 seconds."""
        query = urllib.parse.urlencode({"target": counter, "count": count, "timeout_ms": 50_000})
        answer = self._call("/wait?" + query)
        assert answer["reached"], f"{counter} is {answer['count']} and not {count}"

    def get(self, url: str, header_line: str) -> int:
        """The HTTP status of a request with this header."""
        name, value = header_line.split(": ", 1)
        try:
            with self._opener.open(
                urllib.request.Request(url, headers={name: value}), timeout=60
            ) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code

    def loopback_environment(self) -> dict[str, str]:
        """Variables with which planetkey uses this simulator as Planet."""
        return {
            "PLANETKEY_DEPLOYMENT": str(self.deployment),
            "PLANETKEY_ALLOW_INSECURE_LOOPBACK": "1",
        }


S = TypeVar("S", bound=Simulator)


@contextmanager
def running_simulator(directory: Path, driver: Callable[[Mapping[str, Any]], S]) -> Iterator[S]:
    """A simulator for the time of the block, controlled by `driver`."""
    binary = simulator_binary()
    assert binary.exists(), "build it: cargo build --release -p planetkey-simulator"
    process = subprocess.Popen(
        [binary, "--until-stdin-closes", "--directory", directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield driver(json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
