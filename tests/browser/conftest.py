"""One simulator and one driver for the whole run; for each test a browser that knows nobody, and a home directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from person import DefaultBrowser, Person
from simulator import FOREIGN_VARIABLES, Simulator, running_simulator
from webdriver import Browser, Driver, running_driver


@pytest.fixture(scope="session")
def _simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), Simulator) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator_process: Simulator) -> Iterator[Simulator]:
    _simulator_process.reset()
    # A device need not wait for longer between two polls.
    _simulator_process.settings(device_interval=1)
    yield _simulator_process
    # Whatever still waits for an answer ends now.
    _simulator_process.reset()


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with running_driver(tmp_path_factory.mktemp("driver") / "log") as driver:
        yield driver


@pytest.fixture
def browser(driver: Driver, tmp_path: Path) -> Iterator[Browser]:
    browser = Browser(driver, tmp_path / "browser")
    yield browser
    browser.quit()


@pytest.fixture
def ada(browser: Browser) -> Person:
    return Person(browser)


@pytest.fixture
def home(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory whose programs take the simulator for Planet."""
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in simulator.loopback_environment().items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def default_browser(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DefaultBrowser:
    """Where programs find a browser to open."""
    directory = tmp_path / "default-browser"
    directory.mkdir()
    opener = DefaultBrowser(directory)
    for name, value in opener.environment().items():
        monkeypatch.setenv(name, value)
    return opener
