"""The interface of a real authorization server for the tests."""

import json
import os
import selectors
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from user import User

HERE = Path(__file__).resolve().parent
KEYS = HERE.parents[1] / "core" / "tests" / "data"

AUDIENCE = "https://api.planet.com/"
# The characters that Basic authentication and form bodies encode differently.
SECRET = "s:p%c+&= x"

# Much longer than a start takes on two busy cores.
PATIENCE_S = 400

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Response:
    """An HTTP response that may be JSON."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The JSON document."""
        return json.loads(self.body)


def call(
    url: str,
    form: Mapping[str, str] | None = None,
    *,
    document: object = None,
    data: bytes | None = None,
    bearer: str | None = None,
    method: str | None = None,
) -> Response:
    """Sends one plain HTTP request, without an HTTP library's additions."""
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    if form is not None:
        data = urllib.parse.urlencode(form).encode()
    if document is not None:
        data = json.dumps(document).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with _opener.open(request, timeout=PATIENCE_S) as response:
            return Response(response.status, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, error.read())


class Process:
    """A program that runs until its standard input closes, also if the tests are killed."""

    def __init__(
        self, command: list[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # Its own process group, so that the children of a shell end too.
                start_new_session=True,
                env=None if environment is None else {**os.environ, **environment},
            )
        self._said = b""

    def read_until(self, *words: bytes) -> str:
        """The first line of the output with one of these words. Fails if there is none."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                for line in self._said.split(b"\n")[:-1]:
                    if any(word in line for word in words):
                        return line.decode()
                if selector.select(1):
                    more = os.read(self._process.stdout.fileno(), 65536)
                    if not more:
                        break
                    self._said += more
        raise AssertionError(f"it did not start:\n{self._said.decode()}\n{self._log.read_text()}")

    def end(self) -> None:
        """Closes the input and waits for the end.

        A program that does not end is killed, which is an error.
        """
        try:
            # The program may print much when it ends.
            self._process.communicate(timeout=PATIENCE_S)
        except BaseException:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            raise


class Server(ABC):
    """A running authorization server with the clients of this suite."""

    name: str
    issuer: str
    # The scope that a user's client requests, and the scope in the response.
    scopes: tuple[str, ...]
    granted: tuple[str, ...]
    # The poll interval of device logins.
    device_interval_ms: int

    @abstractmethod
    def wait(self) -> None:
        """Waits until the server is ready."""

    @abstractmethod
    def end(self) -> None:
        """Stops the server."""

    @abstractmethod
    def user(self) -> User:
        """A user with an account and a browser without cookies."""

    @abstractmethod
    def token_requests(self, client_id: str, grant_type: str) -> list[str | None]:
        """The results of such requests since the test started, from the server's events:

        an error, or `None`.
        """

    @abstractmethod
    def forget_requests(self) -> None:
        """Prepares the server for a test."""

    @abstractmethod
    def rotate_keys(self) -> None:
        """Rotates the signing key. The new key is published first or alone."""

    def metadata(self) -> Any:
        """The server's metadata."""
        return call(self.issuer.rstrip("/") + "/.well-known/openid-configuration").json

    def endpoint(self, name: str) -> str:
        """The URL of an endpoint, by its name in the metadata."""
        return str(self.metadata()[name])

    def is_active(self, token: str) -> bool:
        """Whether the token is active, by introspection with an API's own client."""
        client = {"client_id": "m2m-post", "client_secret": SECRET}
        response = call(self.endpoint("introspection_endpoint"), {"token": token, **client})
        assert response.status == 200, response
        return response.json["active"] is True

    def revoke(self, token: str, client: Mapping[str, str]) -> None:
        """Revokes a token as its client."""
        response = call(self.endpoint("revocation_endpoint"), {"token": token, **client})
        assert response.status == 200, response
