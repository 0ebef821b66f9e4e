"""Number 2: devices, FIFOs and directories with the names of planetkey's files are not changed.

The device nodes are made in the directory of the test.
"""

import os
import stat
from pathlib import Path

import pytest

from places import Place, User, link, own, put, unchanged
from sessions import (
    config_file,
    m2m_config,
    m2m_login,
    m2m_profile,
    profile_directory,
    seed,
    token_file,
)
from simulator import Simulator

NULL, ZERO = os.makedev(1, 3), os.makedev(1, 5)
FILES = (
    "token.json",
    "token.json.lock",
    "token.planetkey.json",
    "auth_client.json",
    ".planet.json",
)
KINDS = ("null", "zero", "fifo", "directory")


def make(path: Path, kind: str, owner: User) -> Path:
    """Makes something that is no regular file."""
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path, 0o600)
    else:
        os.mknod(path, 0o666 | stat.S_IFCHR, NULL if kind == "null" else ZERO)
    own(path, owner)
    return path


def name_of(file: str, home: Path, profile: str) -> Path:
    """Where this file is."""
    return home / file if file == ".planet.json" else profile_directory(home, profile) / file


def prepare(place: Place, simulator: Simulator, owner: User) -> Path:
    """A home with an expired user session and an M2M client."""
    home = place.directory("home", owner)
    seed(simulator, home, owner)
    put(config_file(home, m2m_profile(simulator)), m2m_config(simulator), owner)
    return home


def check(place: Place, simulator: Simulator, user: User, home: Path, file: str) -> None:
    """The commands that use the file refuse it. Some can do without it, and say so."""
    if file == ".planet.json":
        finished = [place.run(user, home, "profile", "set", m2m_profile(simulator))]
        # The built-in profile is used instead.
        place.run(user, home, "print-access-token")
    elif file == "auth_client.json":
        finished = [
            place.run(user, home, "--profile", m2m_profile(simulator), "print-access-token"),
            m2m_login(place, simulator, user, home),
        ]
    else:
        finished = [place.run(user, home, "refresh"), place.run(user, home, "print-access-token")]
    for each in finished:
        # The sidecar is optional.
        assert each.is_refusal or (file == "token.planetkey.json" and each.code == 0), each
    if file not in (".planet.json", "token.planetkey.json"):
        assert simulator.count("user.token") == 0


def profile_with(file: str, simulator: Simulator) -> str:
    """The profile whose file it is."""
    return m2m_profile(simulator) if file == "auth_client.json" else "planet-user"


def needs_root(kind: str, request: pytest.FixtureRequest) -> None:
    """Only root makes device nodes."""
    if kind in ("null", "zero"):
        request.getfixturevalue("root")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", FILES)
def test_i9_02_no_regular_file(
    place: Place,
    simulator: Simulator,
    user: User,
    file: str,
    kind: str,
    request: pytest.FixtureRequest,
) -> None:
    needs_root(kind, request)
    home = prepare(place, simulator, user)
    path = name_of(file, home, profile_with(file, simulator))
    path.unlink(missing_ok=True)
    make(path, kind, user)
    before = (path.lstat().st_ino, path.lstat().st_mode, path.lstat().st_rdev)
    check(place, simulator, user, home, file)
    assert (path.lstat().st_ino, path.lstat().st_mode, path.lstat().st_rdev) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", FILES)
def test_i9_02_a_link_to_no_regular_file(
    place: Place,
    simulator: Simulator,
    user: User,
    file: str,
    kind: str,
    request: pytest.FixtureRequest,
) -> None:
    needs_root(kind, request)
    home = prepare(place, simulator, user)
    devices = place.directory("devices", user)
    node = make(devices / "node", kind, user)
    path = name_of(file, home, profile_with(file, simulator))
    path.unlink(missing_ok=True)
    link(path, node, user)
    inode = node.stat().st_ino
    with unchanged(devices):
        check(place, simulator, user, home, file)
    assert node.stat().st_ino == inode
    assert path.is_symlink()


@pytest.mark.parametrize("is_link", [True, False], ids=["link", "itself"])
@pytest.mark.parametrize("kind", KINDS)
def test_i9_02_a_login_of_a_client_and_its_first_token(
    place: Place,
    simulator: Simulator,
    user: User,
    kind: str,
    is_link: bool,
    request: pytest.FixtureRequest,
) -> None:
    """A client can do without its old token, so that the file is written before it is read."""
    needs_root(kind, request)
    home = prepare(place, simulator, user)
    devices = place.directory("devices", user)
    path = token_file(home, m2m_profile(simulator))
    node = make(devices / "node" if is_link else path, kind, user)
    if is_link:
        link(path, node, user)
    inode = node.lstat().st_ino
    with unchanged(devices):
        assert m2m_login(place, simulator, user, home).is_refusal
        client = (
            "--auth-client-id",
            simulator.client_id,
            "--auth-client-secret",
            simulator.client_secret,
        )
        for arguments in (("print-access-token",), ("refresh",)):
            # This test does not decide whether a client continues without saving.
            place.run(user, home, *client, *arguments)
    assert node.lstat().st_ino == inode
    assert path.is_symlink() == is_link


@pytest.mark.parametrize("kind", ["null", "fifo"])
def test_i9_02_root_in_the_home_of_another_user(
    place: Place, simulator: Simulator, root: User, other: User, kind: str
) -> None:
    home = prepare(place, simulator, other)
    devices = place.directory("devices", root, 0o755)
    node = make(devices / "node", kind, root)
    token_file(home).unlink()
    link(token_file(home), node, other)
    with unchanged(devices):
        check(place, simulator, root, home, "token.json")


@pytest.mark.parametrize("kind", ["null", "zero", "fifo"])
def test_i9_02_logout_deletes_no_device(
    place: Place, simulator: Simulator, root: User, kind: str
) -> None:
    home = prepare(place, simulator, root)
    devices = place.directory("devices", root)
    node = make(devices / "node", kind, root)
    token_file(home).unlink()
    link(token_file(home), node, root)
    with unchanged(devices):
        place.run(root, home, "logout")
        place.run(root, home, "profile", "delete", "planet-user", "--yes")
    assert node.exists()
