"""Starts the servers that are available on this host, for the whole run.

Every test runs with each.
"""

import os
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import table
from keycloak import Keycloak
from oidc_provider import OidcProvider
from server import Server
from simulator import FOREIGN_VARIABLES

# The output of `run`: the name of a server and what it needs to start.
FOUND = {
    name: where
    for name, variable in {
        "oidc-provider": "PLANETKEY_OIDC_PROVIDER",
        "Keycloak": "PLANETKEY_KEYCLOAK",
    }.items()
    if (where := os.environ.get(variable))
}
shown: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, help="where a run of all tests leaves what it has shown")


@pytest.fixture(scope="session", autouse=True)
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Starts all servers in parallel, because Keycloak takes half a minute."""
    started: dict[str, Server] = {}
    # Each server is stopped, also if another one does not stop.
    with ExitStack() as ending:
        for name, where in FOUND.items():
            directory = tmp_path_factory.mktemp(name)
            started[name] = (
                Keycloak(Path(where), directory) if name == "Keycloak" else OidcProvider(directory)
            )
            ending.callback(started[name].end)
        yield started


# This order runs all tests with the first server, then with the next.
@pytest.fixture(params=list(FOUND), scope="session")
def _server(request: pytest.FixtureRequest, _servers: dict[str, Server]) -> Server:
    server = _servers[request.param]
    server.wait()
    return server


@pytest.fixture
def server(_server: Server) -> Server:
    """A server whose counters start here."""
    _server.forget_requests()
    return _server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, without variables that override it."""
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.passed and isinstance(item, pytest.Function):
        server = str(item.callspec.params["_server"])
        for mark in item.iter_markers("shows"):
            if mark.kwargs.get("at", server) == server:
                for number in mark.args:
                    shown[number][f"{item.path.name}::{item.originalname}"].add(server)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if file := session.config.getoption("--table"):
        file.write_text("\n".join([",".join(FOUND), *table.lines(shown)]) + "\n")
