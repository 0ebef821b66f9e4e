"""One simulator for all tests, and for each a home directory and servers with its tokens."""

from collections.abc import Callable, Iterator
from pathlib import Path

import planetkey
import pytest

from servers import ServerProcess, Servers, running_servers
from simulator import FOREIGN_VARIABLES, Simulator, running_simulator


@pytest.fixture(scope="session")
def _simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), Simulator) as simulator:
        yield simulator


@pytest.fixture
def simulator(
    _simulator_process: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Simulator]:
    _simulator_process.reset()
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    # Neighbours of a file are not looked for.
    monkeypatch.setenv("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR")
    yield _simulator_process
    # Requests that still wait for a response end now.
    _simulator_process.reset()


@pytest.fixture(scope="session")
def _server_process() -> Iterator[ServerProcess]:
    with running_servers() as process:
        yield process


@pytest.fixture
def servers(simulator: Simulator, _server_process: ServerProcess) -> Servers:
    """Servers with ports of their own, so that GDAL has nothing of them in memory."""
    return _server_process.start(simulator.planet_api)


@pytest.fixture
def session(simulator: Simulator, servers: Servers) -> planetkey.Session:
    """A session of an M2M client, whose tokens may go to the API of these tests too."""
    return planetkey.Session.from_m2m(
        simulator.client_id,
        simulator.client_secret,
        deployment=simulator.deployment,
        allow_insecure_loopback=True,
        allowed_hosts=[servers.host],
    )


@pytest.fixture
def replace_token(simulator: Simulator, session: planetkey.Session) -> Callable[[int], None]:
    """Revokes every token that was issued.

    Every second time the session learns it as from an API, so it refreshes in GDAL's next request.
    """

    def replace_token(turn: int) -> None:
        token = session.access_token()
        simulator.revoke(all=True)
        if turn % 2:
            session.refresh()
        else:
            assert session.invalidate(token)

    return replace_token
