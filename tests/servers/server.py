"""What the tests ask of a real authorization server, whichever it is."""

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

from person import Person

HERE = Path(__file__).resolve().parent
KEYS = HERE.parents[1] / "core" / "tests" / "data"

AUDIENCE = "https://api.planet.com/"
# Every character that the two ways of sending a secret encode, each in its own way.
SECRET = "s:p%c+&= x"

# Far beyond what a start takes on two busy cores.
PATIENCE_S = 120

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """An HTTP answer that may be JSON."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The document in it."""
        return json.loads(self.body)


def call(
    url: str,
    form: Mapping[str, str] | None = None,
    *,
    document: object = None,
    data: bytes | None = None,
    bearer: str | None = None,
    method: str | None = None,
) -> Answer:
    """One request in plain HTTP, as no library makes it."""
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    if form is not None:
        data = urllib.parse.urlencode(form).encode()
    if document is not None:
        data = json.dumps(document).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with _opener.open(request, timeout=PATIENCE_S) as answer:
            return Answer(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read())


class Process:
    """A program that runs until its input closes, also when the tests are killed."""

    def __init__(self, command: list[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # A group of its own: what a shell has started ends with it.
                start_new_session=True,
                env=None if environment is None else {**os.environ, **environment},
            )
        self._said = b""

    def read_until(self, *words: bytes) -> str:
        """The first line of its output that holds one of these words; fails when there is none."""
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
        """Closes its input and waits for its end; what does not end is killed, and that is an error."""
        try:
            # It may have much to say at its end.
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
    # What the client of a person asks for, and what it is told that it got.
    scopes: tuple[str, ...]
    granted: tuple[str, ...]
    # How often it lets a device ask.
    device_interval_ms: int

    @abstractmethod
    def wait(self) -> None:
        """Returns when it can be used."""

    @abstractmethod
    def end(self) -> None:
        """Stops it."""

    @abstractmethod
    def person(self) -> Person:
        """Somebody with an account and a browser without cookies."""

    @abstractmethod
    def token_requests(self, client_id: str, grant_type: str) -> list[str | None]:
        """How such requests have ended since the test began, as the server remembers: an error, or `None`."""

    @abstractmethod
    def forget_requests(self) -> None:
        """Lets a test begin."""

    @abstractmethod
    def rotate_keys(self) -> None:
        """From now on it signs with another key, and publishes that one first or alone."""

    def metadata(self) -> Any:
        """What it says of itself."""
        return call(self.issuer.rstrip("/") + "/.well-known/openid-configuration").json

    def endpoint(self, name: str) -> str:
        """An endpoint by its name in the metadata."""
        return str(self.metadata()[name])

    def is_active(self, token: str) -> bool:
        """Whether the server would accept this token, as an API that has a client of its own learns it."""
        client = {"client_id": "machine-post", "client_secret": SECRET}
        answer = call(self.endpoint("introspection_endpoint"), {"token": token, **client})
        assert answer.status == 200, answer
        return answer.json["active"] is True

    def revoke(self, token: str, client: Mapping[str, str]) -> None:
        """Takes a token back, as its client may."""
        answer = call(self.endpoint("revocation_endpoint"), {"token": token, **client})
        assert answer.status == 200, answer
