"""Number 7:

what planetkey writes it can read, damages do not pile up, and `~` is the home directory.
"""

from pathlib import Path

import pytest

from mounts import after_mounting
from places import Place, User, own, put
from sessions import (
    access_token,
    check_lives,
    m2m_login,
    profile_directory,
    saved,
    seed,
    token_file,
)
from simulator import Simulator

DAMAGES = 30
# Each of the 20000 numbers gets a line with 60 levels of indentation in front of it.
DEPTH, NUMBERS = 60, 20_000


def deeply_nested() -> object:
    """41 KB of JSON that are 2.5 MB with indentation."""
    value: object = [1] * NUMBERS
    for _ in range(DEPTH):
        value = [value]
    return value


def test_i9_07_a_deeply_nested_response_leaves_the_session_readable(
    place: Place, simulator: Simulator, ordinary: User
) -> None:
    home = place.directory("home", ordinary)
    tokens = seed(simulator, home, ordinary)
    simulator.script("user.token", {"token_response": {"set": {"nested": deeply_nested()}}})
    first = access_token(place.run(ordinary, home, "print-access-token"))
    assert access_token(place.run(ordinary, home, "print-access-token")) == first
    check_lives(simulator, tokens, 1)
    assert place.run(ordinary, home, "refresh").code == 0
    check_lives(simulator, tokens, 2)
    assert token_file(home).stat().st_size < 1 << 20


def test_i9_07_a_deeply_nested_response_to_a_client_leaves_its_session_readable(
    place: Place, simulator: Simulator, ordinary: User
) -> None:
    home = place.directory("home", ordinary)
    simulator.script("m2m.token", {"token_response": {"set": {"nested": deeply_nested()}}})
    assert m2m_login(place, simulator, ordinary, home).code == 0
    access_token(place.run(ordinary, home, "print-access-token"))
    assert simulator.count("m2m.token") == 1


def test_i9_07_thirty_damages_leave_three_files(
    place: Place, simulator: Simulator, ordinary: User
) -> None:
    home = place.directory("home", ordinary)
    seed(simulator, home, ordinary)
    for number in range(DAMAGES):
        put(token_file(home), f"damage {number}", ordinary)
        assert place.run(ordinary, home, "print-access-token").code == 3
    left = sorted(profile_directory(home).glob("token.json.corrupt-*"))
    assert 1 <= len(left) <= 3
    # The last damage is among them: it may be what its user wants to see.
    assert f"damage {DAMAGES - 1}" in [file.read_text() for file in left]


TILDES = {
    "option": (("--storage-root", "~"), {}, ""),
    "option with a path": (("--storage-root", "~/below/it"), {}, "below/it"),
    "variable": ((), {"PLANETKEY_STORAGE_ROOT": "~"}, ""),
    "variable with a path": ((), {"PLANETKEY_STORAGE_ROOT": "~/below/it"}, "below/it"),
}


@pytest.mark.parametrize("name", TILDES)
def test_i9_07_a_tilde_is_the_home_directory(
    place: Place, simulator: Simulator, ordinary: User, name: str
) -> None:
    """`~` stays literal in quotes, behind `=`, and in files of systemd, Docker and cron."""
    arguments, more, below = TILDES[name]
    home = place.directory("home", ordinary)
    # The working directory of the command.
    own(place.path, ordinary)
    login = (
        "login",
        "--auth-client-id",
        simulator.client_id,
        "--auth-client-secret-file",
        "-",
        "--yes",
    )
    finished = place.run(
        ordinary, home, *arguments, *login, stdin=simulator.client_secret, more=more
    )
    assert finished.code == 0, finished
    assert not list(place.path.rglob("~"))
    assert (home / below / ".planet.json").exists()
    access_token(place.run(ordinary, home, *arguments, "print-access-token", more=more))


@pytest.mark.parametrize("written", ["~other/below", "~other"])
@pytest.mark.parametrize("how", ["option", "variable"])
def test_i9_07_a_tilde_of_another_user_is_refused(
    place: Place, simulator: Simulator, ordinary: User, how: str, written: str
) -> None:
    home = place.directory("home", ordinary)
    own(place.path, ordinary)
    arguments = ("--storage-root", written) if how == "option" else ()
    more = {"PLANETKEY_STORAGE_ROOT": written} if how == "variable" else {}
    login = (
        "login",
        "--auth-client-id",
        simulator.client_id,
        "--auth-client-secret-file",
        "-",
        "--yes",
    )
    finished = place.run(
        ordinary, home, *arguments, *login, stdin=simulator.client_secret, more=more
    )
    assert finished.code in (1, 2), finished
    assert not list(place.path.rglob("~*"))
    assert simulator.count("m2m.token") == 0


def test_i9_07_a_directory_whose_name_begins_with_a_tilde_is_reached_by_a_path(
    place: Place, simulator: Simulator, ordinary: User
) -> None:
    home = place.directory("home", ordinary)
    place.directory("~backup", ordinary)
    own(place.path, ordinary)
    login = (
        "login",
        "--auth-client-id",
        simulator.client_id,
        "--auth-client-secret-file",
        "-",
        "--yes",
    )
    finished = place.run(
        ordinary, home, "--storage-root", "./~backup", *login, stdin=simulator.client_secret
    )
    assert finished.code == 0, finished
    assert (place.path / "~backup" / ".planet.json").exists()


@pytest.mark.parametrize("value", ["", None], ids=["empty", "unset"])
def test_i9_07_without_home_the_user_database_has_the_home_directory(
    place: Place, simulator: Simulator, root: User, ordinary: User, value: str | None
) -> None:
    home = place.directory("home", ordinary)
    # The user database of a mount namespace. That of the host is not changed.
    database = place.path / "passwd"
    line = f"planetkey-test:x:{ordinary.uid}:{ordinary.gid}::{home}:/bin/sh\n"
    database.write_text(Path("/etc/passwd").read_text() + line)
    database.chmod(0o644)
    within = after_mounting('mount --bind "$1" /etc/passwd', database, user=ordinary)
    assert m2m_login(place, simulator, ordinary, value, within=within).code == 0
    assert (home / ".planet.json").exists()
    first = access_token(place.run(ordinary, value, "print-access-token", within=within))
    # It is the same session with HOME.
    assert access_token(place.run(ordinary, home, "print-access-token")) == first
    assert simulator.count("m2m.token") == 1


def test_i9_07_without_home_and_without_an_entry_in_the_user_database_nothing_is_saved_elsewhere(
    place: Place, simulator: Simulator, root: User, ordinary: User
) -> None:
    own(place.path, ordinary)
    before = {path.name for path in place.path.iterdir()}
    finished = m2m_login(place, simulator, ordinary, "")
    assert finished.code == 2, finished
    assert {path.name for path in place.path.iterdir()} == before


def test_i9_07_a_saved_session_is_read_back_by_the_login(
    place: Place, simulator: Simulator, user: User
) -> None:
    home = place.directory("home", user)
    assert m2m_login(place, simulator, user, home).code == 0
    (profile,) = (path for path in (home / ".planet").iterdir() if path.is_dir())
    assert saved(profile / "auth_client.json")["client_id"] == simulator.client_id
    access_token(place.run(user, home, "print-access-token"))
    assert simulator.count("m2m.token") == 1
