"""One simulator for the whole run, and for each test a directory that every user can search."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from places import ROOT, Place, User, install_program, is_reachable, remove, this_user
from simulator import FOREIGN_VARIABLES, Simulator, running_simulator


def _free_uids() -> Iterator[int]:
    """Numbers that have no entry in the user database."""
    for uid in range(61001, 65000):
        try:
            pwd.getpwuid(uid)
        except KeyError:
            yield uid


@pytest.fixture(scope="session")
def _base() -> Iterator[Path]:
    # pytest's own directory can be searched by its user only.
    base = Path(tempfile.mkdtemp(prefix="planetkey-host-")).resolve()
    base.chmod(0o755)
    assert os.geteuid() or is_reachable(base), (
        f"set TMPDIR to a directory that every user can search, not {base.parent}"
    )
    yield base
    remove(base)


@pytest.fixture(scope="session")
def _program(_base: Path) -> Path:
    return install_program(_base / "bin")


@pytest.fixture(scope="session")
def _simulator_process(_base: Path) -> Iterator[Simulator]:
    directory = _base / "simulator"
    directory.mkdir()
    directory.chmod(0o755)
    with running_simulator(directory, Simulator) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator_process: Simulator) -> Iterator[Simulator]:
    _simulator_process.reset()
    yield _simulator_process
    # Requests that still wait end now.
    _simulator_process.reset()


@pytest.fixture
def place(
    _base: Path, _program: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    path = Path(tempfile.mkdtemp(prefix="test-", dir=_base))
    path.chmod(0o755)
    yield Place(path, _program, simulator.loopback_environment())
    remove(path)


_uids = _free_uids()
_OTHER, _ORDINARY, _THIRD = (User(uid, uid) for uid in (next(_uids), next(_uids), next(_uids)))


@pytest.fixture
def root() -> User:
    """Root, if the tests run as root."""
    if os.geteuid() != 0:
        pytest.skip("needs root and a second uid")
    return ROOT


@pytest.fixture
def other(root: User) -> User:
    """A user who is neither root nor `ordinary`."""
    return _OTHER


@pytest.fixture
def third(root: User) -> User:
    """One more user."""
    return _THIRD


@pytest.fixture
def ordinary() -> User:
    """A user who is not root: the one of the tests, or one that root can become."""
    return _ORDINARY if os.geteuid() == 0 else this_user()


@pytest.fixture(params=["ordinary", "root"])
def user(request: pytest.FixtureRequest) -> User:
    """An ordinary user, then root, each to work in its own home."""
    found: User = request.getfixturevalue(request.param)
    return found
