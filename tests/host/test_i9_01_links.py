"""Number 1: links of another user, and lock files that are links, lead planetkey nowhere."""

import os
from pathlib import Path

import pytest

from places import Place, User, link, put, unchanged
from sessions import (
    HOUR,
    USER_PROFILE,
    as_the_sdk_writes,
    m2m_config,
    m2m_login,
    profile_directory,
    seed,
    token_file,
)
from simulator import Simulator

COPY = "copied"
# Commands that read, write, rename and delete.
COMMANDS = {
    "status": ("status",),
    "print-access-token": ("print-access-token",),
    "refresh": ("refresh",),
    "logout": ("logout", "--no-revoke"),
    "list": ("profile", "list"),
    "set": ("profile", "set", COPY),
    "copy": ("profile", "copy", COPY, "another"),
    "delete": ("profile", "delete", COPY, "--yes"),
    "reset": ("reset", "--yes"),
}
# These commands fail differently without a profile, or rename the link itself.
MAY_SUCCEED = {"status", "list", "reset"}


def fill(simulator: Simulator, profiles: Path, owner: User) -> None:
    """A `.planet` directory with a user session and a client, at another place."""
    tokens = simulator.seed(lifetime=HOUR, age=2 * HOUR)
    put(profiles / USER_PROFILE / "token.json", as_the_sdk_writes(tokens), owner)
    put(profiles / COPY / "auth_client.json", m2m_config(simulator), owner)
    put(profiles / COPY / "token.json", as_the_sdk_writes(tokens), owner)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("linked", ["planet", "profile", "above"])
def test_i9_01_root_does_not_follow_a_directory_link_of_another_user(
    place: Place, simulator: Simulator, root: User, other: User, linked: str, name: str
) -> None:
    home = place.directory("home", other)
    outside = place.directory("outside", root)
    fill(simulator, outside, root)
    if linked == "planet":
        link(home / ".planet", outside, other)
        started_in = home
    elif linked == "profile":
        place.directory("home/.planet", other)
        for profile in (USER_PROFILE, COPY):
            link(home / ".planet" / profile, outside / profile, other)
        started_in = home
    else:
        (outside / ".planet").mkdir(mode=0o700)
        fill(simulator, outside / ".planet", root)
        link(home / "work", outside, other)
        started_in = home / "work"

    with unchanged(outside):
        finished = place.run(root, started_in, *COMMANDS[name])
    if name not in MAY_SUCCEED:
        assert finished.code != 0, finished
    assert simulator.count("user.token") == 0


@pytest.mark.parametrize("linked", ["planet", "profile"])
def test_i9_01_a_login_of_root_does_not_follow_a_directory_link_of_another_user(
    place: Place, simulator: Simulator, root: User, other: User, linked: str
) -> None:
    home = place.directory("home", other)
    outside = place.directory("outside", root)
    if linked == "planet":
        link(home / ".planet", outside, other)
    else:
        place.directory("home/.planet", other)
        link(home / ".planet" / f"planet-m2m-{simulator.client_id}", outside, other)
    with unchanged(outside):
        assert m2m_login(place, simulator, root, home).is_refusal


@pytest.mark.parametrize("name", ["print-access-token", "refresh", "logout", "delete"])
def test_i9_01_an_ordinary_user_does_not_follow_a_directory_link_of_another_user(
    place: Place, simulator: Simulator, ordinary: User, other: User, root: User, name: str
) -> None:
    shared = place.directory("shared", root, 0o1777)
    own = place.directory("own", ordinary)
    fill(simulator, own, ordinary)
    link(shared / ".planet", own, other)
    home = place.directory("home", ordinary)
    with unchanged(own):
        finished = place.run(ordinary, home, "--storage-root", str(shared), *COMMANDS[name])
    assert finished.code != 0, finished
    assert simulator.count("user.token") == 0


def test_i9_01_a_link_of_root_above_the_storage_root_is_followed(
    place: Place, simulator: Simulator, ordinary: User, root: User
) -> None:
    """Systems have their homes behind links of root: /home is a link on Fedora Silverblue."""
    homes = place.directory("export", root, 0o755)
    home = place.directory("export/home", ordinary)
    link(place.path / "homes", homes, root)
    seed(simulator, home, ordinary)
    assert place.run(ordinary, place.path / "homes" / "home", "refresh").code == 0
    assert token_file(home).stat().st_uid == ordinary.uid


def test_i9_01_a_token_file_that_is_a_link_of_another_user_is_refused(
    place: Place, simulator: Simulator, root: User, other: User
) -> None:
    home = place.directory("home", other)
    outside = place.directory("outside", root)
    put(
        outside / "token.json", as_the_sdk_writes(simulator.seed(lifetime=HOUR, age=2 * HOUR)), root
    )
    put(profile_directory(home) / "unused", "", other)
    link(token_file(home), outside / "token.json", other)
    for arguments in COMMANDS["print-access-token"], COMMANDS["refresh"], COMMANDS["logout"]:
        with unchanged(outside):
            place.run(root, home, *arguments)
    assert simulator.count("user.token") == 0


@pytest.mark.parametrize("where", ["own home", "home of another user"])
def test_i9_01_a_lock_file_with_two_links_is_refused(
    place: Place, simulator: Simulator, root: User, other: User, where: str
) -> None:
    owner = root if where == "own home" else other
    home = place.directory("home", owner)
    outside = place.directory("outside", root)
    secret = put(outside / "secret", "a file of root", root)
    seed(simulator, home, owner)
    lock = profile_directory(home) / "token.json.lock"
    os.link(secret, lock)
    with unchanged(outside):
        finished = place.run(root, home, "refresh")
    assert finished.is_refusal, finished
    assert str(lock) in finished.errors
    assert secret.samefile(lock)
    assert simulator.count("user.token") == 0


def test_i9_01_a_lock_file_with_two_links_is_refused_for_an_ordinary_user(
    place: Place, simulator: Simulator, ordinary: User
) -> None:
    home = place.directory("home", ordinary)
    outside = place.directory("outside", ordinary)
    put(outside / "notes", "a file of the user", ordinary)
    seed(simulator, home, ordinary)
    os.link(outside / "notes", profile_directory(home) / "token.json.lock")
    with unchanged(outside):
        finished = place.run(ordinary, home, "refresh")
    assert finished.is_refusal, finished
    assert simulator.count("user.token") == 0


@pytest.mark.parametrize("where", ["own home", "home of another user"])
def test_i9_01_a_lock_file_that_is_a_symbolic_link_is_refused(
    place: Place, simulator: Simulator, root: User, other: User, where: str
) -> None:
    owner = root if where == "own home" else other
    home = place.directory("home", owner)
    outside = place.directory("outside", root)
    secret = put(outside / "secret", "a file of root", root)
    seed(simulator, home, owner)
    link(profile_directory(home) / "token.json.lock", secret, owner)
    with unchanged(outside):
        finished = place.run(root, home, "refresh")
    assert finished.is_refusal, finished
    assert simulator.count("user.token") == 0
