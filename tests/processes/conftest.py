"""One simulator for the whole run, reset before each test, and a home directory for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import FOREIGN_VARIABLES, Simulator, running_simulator


@pytest.fixture(scope="session")
def _simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), Simulator) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator_process: Simulator) -> Iterator[Simulator]:
    _simulator_process.reset()
    yield _simulator_process
    # Requests that still wait end now.
    _simulator_process.reset()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    return home
