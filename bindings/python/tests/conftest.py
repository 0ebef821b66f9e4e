"""One simulator for all tests, reset before each, and an environment without credentials."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from planet_simulator import Simulator
from simulator import FOREIGN_VARIABLES, running_simulator


@pytest.fixture(scope="session")
def _simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), Simulator) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator_process: Simulator) -> Iterator[Simulator]:
    _simulator_process.reset()
    yield _simulator_process
    _simulator_process.end_children()
    # Requests that still wait for a response end now.
    _simulator_process.reset()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def defaults(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """The simulator, with an environment in which `Session.from_defaults` finds it."""
    monkeypatch.setenv("PLANETKEY_DEPLOYMENT", str(simulator.deployment))
    monkeypatch.setenv("PL_API_KEY", simulator.api_key)
    monkeypatch.setenv("PL_AUTH_CLIENT_ID", simulator.client_id)
    monkeypatch.setenv("PL_AUTH_CLIENT_SECRET", simulator.client_secret)
    return simulator
