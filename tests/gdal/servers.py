"""The servers as the tests use them."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from range_server import Request


class Servers:
    """Running servers, and what they have seen."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self.api = facts["api"]
        self.storage = facts["storage"]
        self._control = facts["control"]
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def host(self) -> str:
        """The API's host, as a list of hosts has it."""
        return self.api.removeprefix("http://")

    @property
    def requests(self) -> list[Request]:
        """Every request, in the order of the responses."""
        with self._opener.open(self._control + "/requests", timeout=60) as answer:
            return [Request(**request) for request in json.load(answer)]

    def seen(self, server: str) -> list[Request]:
        return [request for request in self.requests if request.server == server]

    def refused(self) -> list[Request]:
        return [request for request in self.requests if request.status in (400, 401)]

    def leaked(self) -> list[Request]:
        """Requests at the storage that carry a credential."""
        return [request for request in self.seen("storage") if request.authorization]


def write_netrc(home: Path) -> None:
    """Another credential for this computer, which GDAL's `libcurl` finds by itself."""
    file = home / ".netrc"
    file.write_text("machine 127.0.0.1 login another password else\n")
    file.chmod(0o600)


class ServerProcess:
    """The process of the servers, which makes their pictures once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("range_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, judge: str) -> Servers:
        """New servers that ask the simulator at `judge` about each token. Ends the last ones."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(judge, file=self._process.stdin, flush=True)
        return Servers(json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def running_servers() -> Iterator[ServerProcess]:
    """A process of servers, until the end of the block."""
    process = ServerProcess()
    try:
        yield process
    finally:
        process.end()
