"""One simulator for all tests, and a home directory for each, whose programs use it as Planet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from both import planet_commands
from loopback import Loopback
from simulator import FOREIGN_VARIABLES, Simulator, running_simulator


@pytest.fixture(scope="session")
def _simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), Simulator) as simulator:
        yield simulator


@pytest.fixture(scope="session", autouse=True)
def _planet_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with planet_commands(tmp_path_factory.mktemp("planet")):
        yield


@pytest.fixture
def simulator(_simulator_process: Simulator) -> Iterator[Simulator]:
    _simulator_process.reset()
    yield _simulator_process
    # Requests that still wait for a response end now.
    _simulator_process.reset()


@pytest.fixture
def home(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The SDK knows only the real host names. A proxy leads them to the simulator."""
    for name in (*FOREIGN_VARIABLES, "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", simulator.proxy)
    monkeypatch.setenv("SSL_CERT_FILE", str(simulator.ca))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(simulator.ca))
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    # In its home directory the SDK overlooks profiles that it should write.
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def loopback(simulator: Simulator, home: Path, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """The simulator at its own addresses and the real ones, with credentials in the environment."""
    monkeypatch.setenv("PLANETKEY_DEPLOYMENT", str(simulator.deployment))
    monkeypatch.setenv("PL_API_KEY", simulator.api_key)
    monkeypatch.setenv("PL_AUTH_CLIENT_ID", simulator.client_id)
    monkeypatch.setenv("PL_AUTH_CLIENT_SECRET", simulator.client_secret)
    return Loopback(simulator, home)
