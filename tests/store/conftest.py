"""One simulator and one server of each kind for the whole run; all are emptied before each test."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from simulator import FOREIGN_VARIABLES, Simulator, running_simulator

from fleet import KEY, Fleet
from store_server import ADDRESSES, StoreServer, redis_binary, valkey_binary


@pytest.fixture(scope="session")
def _simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), Simulator) as simulator:
        yield simulator


@pytest.fixture
def simulator(
    _simulator_process: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Simulator]:
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    _simulator_process.reset()
    yield _simulator_process
    # Requests that still wait end now.
    _simulator_process.reset()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for loopback, and the authority that issued it."""
    directory = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests")
    openssl("req", *key, "-keyout", "store.key", "-out", "store.csr", "-subj", "/CN=store")
    addresses = ",".join(f"IP:{address}" for address in ("127.0.0.1", *ADDRESSES))
    (directory / "names").write_text(f"subjectAltName={addresses},DNS:localhost\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
    openssl("x509", "-req", "-in", "store.csr", *signed, "-out", "store.pem", "-days", "30")
    return directory


@pytest.fixture(scope="session")
def _servers(
    tmp_path_factory: pytest.TempPathFactory, certificates: Path
) -> Iterator[Callable[[str], StoreServer]]:
    started: dict[str, StoreServer] = {}
    makers: dict[str, Callable[[Path], StoreServer]] = {
        "redis": lambda directory: StoreServer(directory, redis_binary()),
        "valkey": lambda directory: StoreServer(directory, valkey_binary()),
        "tls": lambda directory: StoreServer(directory, redis_binary(), certificates=certificates),
    }

    def server(kind: str) -> StoreServer:
        if kind not in started:
            started[kind] = makers[kind](tmp_path_factory.mktemp(kind))
        started[kind].client().flushall()
        return started[kind]

    yield server
    for running in started.values():
        running.stop()


@pytest.fixture
def servers(_servers: Callable[[str], StoreServer]) -> Callable[[str], StoreServer]:
    """A running server of a kind, without data."""
    return _servers


@pytest.fixture
def store(servers: Callable[[str], StoreServer]) -> StoreServer:
    """Redis that the whole run shares, without data."""
    return servers("redis")


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[StoreServer]:
    """Redis for one test, which may break it."""
    directory = tmp_path / "server"
    directory.mkdir()
    server = StoreServer(directory, redis_binary())
    yield server
    server.stop()


@pytest.fixture
def fleet(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Machines without a common disk."""
    monkeypatch.setenv("PLANETKEY_STORE_KEY", KEY)
    return Fleet(simulator, tmp_path)
