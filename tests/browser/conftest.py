"""One simulator and one driver for the whole run.

Each test gets a fresh browser and a home directory.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import FOREIGN_VARIABLES, Simulator, running_simulator
from user import DefaultBrowser, User
from webdriver import Browser, Driver, running_driver


@pytest.fixture(scope="session")
def _simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), Simulator) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator_process: Simulator) -> Iterator[Simulator]:
    _simulator_process.reset()
    # Short polls, so that device logins are fast.
    _simulator_process.settings(device_interval=1)
    yield _simulator_process
    # Requests that still wait end now.
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
def ada(browser: Browser) -> User:
    return User(browser)


@pytest.fixture
def home(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory in which programs use the simulator as Planet."""
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
    """The browser that programs open."""
    directory = tmp_path / "default-browser"
    directory.mkdir()
    opener = DefaultBrowser(directory)
    for name, value in opener.environment().items():
        monkeypatch.setenv(name, value)
    return opener
