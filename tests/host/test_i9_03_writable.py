"""Number 3: files and directories that other users may write, or that belong to them."""

import subprocess
from pathlib import Path

import pytest

from places import Place, User, put, unchanged
from sessions import (
    HOUR,
    access_token,
    as_the_sdk_writes,
    check_lives,
    config_file,
    m2m_config,
    m2m_login,
    m2m_profile,
    profile_directory,
    seed,
    token_file,
)
from simulator import Simulator

# A refusal that waits for the lock is still waiting when the command is killed.
LONG = ("--timeout-ms", "600000")


@pytest.mark.parametrize("mode", [0o666, 0o606, 0o602], ids=oct)
def test_i9_03_a_client_configuration_that_others_may_write_is_refused(
    place: Place, simulator: Simulator, user: User, mode: int
) -> None:
    home = place.directory("home", user)
    elsewhere = simulator.issuer + "/elsewhere"
    file = put(
        config_file(home, "mine"), m2m_config(simulator, token_endpoint=elsewhere), user, mode
    )
    before = simulator.count("connections")
    finished = place.run(user, home, "--profile", "mine", "print-access-token")
    assert finished.is_refusal, finished
    assert simulator.count("connections") == before
    assert str(file) in finished.errors
    assert "chmod" in finished.errors
    assert simulator.client_secret not in finished.errors


def test_i9_03_a_token_file_that_others_may_write_is_refused(
    place: Place, simulator: Simulator, user: User
) -> None:
    home = place.directory("home", user)
    seed(simulator, home, user)
    token_file(home).chmod(0o666)
    finished = place.run(user, home, "print-access-token")
    assert finished.is_refusal, finished
    assert str(token_file(home)) in finished.errors
    assert "chmod" in finished.errors
    assert simulator.count("user.token") == 0


def test_i9_03_preferences_that_others_may_write_choose_no_profile(
    place: Place, simulator: Simulator, user: User
) -> None:
    home = place.directory("home", user)
    put(config_file(home, "mine"), m2m_config(simulator), user)
    file = put(home / ".planet.json", '{"auth_profile": "mine"}', user, 0o666)
    finished = place.run(user, home, "print-access-token")
    assert simulator.count("m2m.token") == 0, finished
    assert str(file) in finished.errors
    assert "chmod" in finished.errors


@pytest.mark.parametrize("name", [".planet", ".planet/planet-user"])
def test_i9_03_a_directory_that_others_may_write_is_refused(
    place: Place, simulator: Simulator, user: User, name: str
) -> None:
    home = place.directory("home", user)
    tokens = seed(simulator, home, user)
    (home / name).chmod(0o777)
    for arguments in (("print-access-token",), ("refresh",), ("logout",)):
        with unchanged(profile_directory(home)):
            finished = place.run(user, home, *arguments)
        assert finished.is_refusal, finished
        assert str(home / name) in finished.errors
        assert "chmod" in finished.errors
    check_lives(simulator, tokens, 0)


@pytest.mark.parametrize("foreign", ["planet", "profile"])
def test_i9_03_in_a_shared_storage_root_the_directory_of_another_user_is_refused(
    place: Place, simulator: Simulator, ordinary: User, other: User, root: User, foreign: str
) -> None:
    shared = place.directory("shared", root, 0o1777)
    home = place.directory("home", ordinary)
    owner, mode = (other, 0o777) if foreign == "planet" else (root, 0o755)
    planet = place.directory("shared/.planet", owner, mode)
    profile = place.directory("shared/.planet/mine", other, 0o777)
    put(
        profile / "auth_client.json",
        m2m_config(simulator, token_endpoint=simulator.issuer + "/elsewhere"),
        other,
        0o666,
    )
    before = simulator.count("connections")
    finished = place.run(
        ordinary,
        home,
        "--storage-root",
        str(shared),
        *LONG,
        "--profile",
        "mine",
        "print-access-token",
    )
    assert finished.is_refusal, finished
    assert simulator.count("connections") == before
    assert str(planet if foreign == "planet" else profile) in finished.errors
    assert str(other.uid) in finished.errors


def test_i9_03_an_own_directory_in_a_shared_storage_root_works(
    place: Place, simulator: Simulator, ordinary: User, root: User
) -> None:
    shared = place.directory("shared", root, 0o1777)
    home = place.directory("home", ordinary)
    more = {"PLANETKEY_STORAGE_ROOT": str(shared)}
    assert m2m_login(place, simulator, ordinary, home, more=more).code == 0
    access_token(place.run(ordinary, home, "print-access-token", more=more))
    assert (shared / ".planet").stat().st_mode & 0o777 == 0o700


def _holding(lock: Path, holder: User) -> subprocess.Popen[str]:
    """A process of a user that holds the lock."""
    process = subprocess.Popen(
        ["flock", str(lock), "sh", "-c", "echo held; read end"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        user=holder.uid,
        group=holder.gid,
        extra_groups=[],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("mode", [0o600, 0o666], ids=oct)
def test_i9_03_a_lock_file_of_another_user_is_refused_at_once(
    place: Place, simulator: Simulator, ordinary: User, other: User, mode: int
) -> None:
    home = place.directory("home", ordinary)
    tokens = seed(simulator, home, ordinary)
    lock = put(profile_directory(home) / "token.json.lock", "", other, mode)
    home.chmod(0o755)
    (home / ".planet").chmod(0o755)
    profile_directory(home).chmod(0o755)
    holder = _holding(lock, other)
    try:
        finished = place.run(ordinary, home, *LONG, "print-access-token")
    finally:
        holder.communicate("end\n", timeout=30)
    assert finished.is_refusal, finished
    assert str(lock) in finished.errors
    assert str(other.uid) in finished.errors
    check_lives(simulator, tokens, 0)


@pytest.mark.parametrize("mode", [0o660, 0o620], ids=oct)
def test_i9_03_a_file_that_its_group_may_write_is_noted(
    place: Place, simulator: Simulator, user: User, mode: int
) -> None:
    home = place.directory("home", user)
    file = put(token_file(home), as_the_sdk_writes(simulator.seed(lifetime=HOUR)), user, mode)
    finished = place.run(user, home, "print-access-token")
    access_token(finished)
    (line,) = finished.errors.splitlines()
    assert str(file) in line


def test_i9_03_a_client_configuration_that_its_group_may_write_is_noted(
    place: Place, simulator: Simulator, user: User
) -> None:
    home = place.directory("home", user)
    file = put(config_file(home, m2m_profile(simulator)), m2m_config(simulator), user, 0o660)
    finished = place.run(user, home, "--profile", m2m_profile(simulator), "print-access-token")
    access_token(finished)
    (line,) = finished.errors.splitlines()
    assert str(file) in line


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644], ids=oct)
def test_i9_03_a_file_that_only_its_owner_may_write_is_accepted(
    place: Place, simulator: Simulator, user: User, mode: int
) -> None:
    home = place.directory("home", user)
    put(config_file(home, "mine"), m2m_config(simulator), user, mode)
    access_token(place.run(user, home, "--profile", "mine", "print-access-token"))
