"""Number 5: homes that belong to another uid work, and root leaves a user's home to its user.

Each situation of docs/reference/files-and-users.md has its test here.
"""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import planetkey
import pytest

from mounts import after_mounting, bindfs, squashed, switch_to
from places import HANGS_AFTER_S, ROOT, Place, User, link, own, put, this_user, unchanged
from sessions import (
    HOUR,
    USER_PROFILE,
    access_token,
    as_the_sdk_writes,
    check_lives,
    config_file,
    device_login,
    m2m_config,
    m2m_login,
    m2m_profile,
    seed,
    token_file,
)
from simulator import Simulator

NO_MODE = 0


def m2m_cycle(
    place: Place, simulator: Simulator, user: User, home: Path, within: tuple[str, ...] = ()
) -> None:
    """An M2M client logs in, and later commands use, refresh, show and delete what that saved."""
    finished = m2m_login(place, simulator, user, home, within=within)
    assert finished.code == 0, finished
    asked = simulator.count("m2m.token")
    first = access_token(place.run(user, home, "print-access-token", within=within))
    assert simulator.count("m2m.token") == asked, "the token of the login is not used"
    assert place.run(user, home, "refresh", within=within).code == 0
    second = access_token(place.run(user, home, "print-access-token", within=within))
    assert second != first
    assert simulator.count("m2m.token") == asked + 1
    status = place.run(user, home, "status", "--json", within=within)
    assert status.code == 0, status
    assert m2m_profile(simulator) in status.output
    finished = place.run(user, home, "logout", within=within)
    assert finished.code == 0, finished


def user_cycle(
    place: Place, simulator: Simulator, user: User, home: Path, *, is_mount: bool = False
) -> None:
    """The same with a saved user session, whose access token is expired."""
    tokens = simulator.seed(lifetime=HOUR, age=2 * HOUR)
    # The mount decides whose file it is, and refuses chown.
    put(token_file(home), as_the_sdk_writes(tokens), this_user() if is_mount else user)
    profile = ("--profile", USER_PROFILE)
    first = access_token(place.run(user, home, *profile, "print-access-token"))
    assert access_token(place.run(user, home, *profile, "print-access-token")) == first
    assert place.run(user, home, *profile, "refresh").code == 0
    check_lives(simulator, tokens, 2)
    finished = place.run(user, home, *profile, "logout")
    assert finished.code == 0, finished
    assert place.run(user, home, *profile, "print-access-token").code == 3


def login_cycle(place: Place, simulator: Simulator, user: User, home: Path) -> None:
    """A user logs in by a device code, refreshes, and logs out."""
    simulator.settings(device_interval=1)
    device_login(place, simulator, user, home)
    profile = ("--profile", USER_PROFILE)
    first = access_token(place.run(user, home, *profile, "print-access-token"))
    assert place.run(user, home, *profile, "refresh").code == 0
    assert access_token(place.run(user, home, *profile, "print-access-token")) != first
    status = place.run(user, home, *profile, "status", "--json")
    assert json.loads(status.output), status
    assert place.run(user, home, *profile, "logout").code == 0
    assert place.run(user, home, *profile, "print-access-token").code == 3


def check_private(directory: Path, owner: User) -> None:
    """Everything below belongs to one user, who alone can read it."""
    paths = list(directory.rglob("*"))
    assert paths
    for path in paths:
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (owner.uid, owner.gid), path
        assert status.st_mode & 0o777 == (0o700 if stat.S_ISDIR(status.st_mode) else 0o600), path


SDK = """
import os, sys
from planet_auth.oidc.oidc_credential import FileBackedOidcCredential
uid, gid, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if uid != os.geteuid():
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
credential = FileBackedOidcCredential(credential_file=file)
credential.load()
print(credential.access_token())
credential.save()
"""


def sdk_reads(user: User, file: Path) -> str:
    """The access token that Planet's SDK reads as a user.

    It saves the file again, as it does after a refresh.
    """
    finished = subprocess.run(
        [sys.executable, "-c", SDK, str(user.uid), str(user.gid), str(file)],
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        check=False,
        cwd="/",
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_i9_05_a_user_and_root_in_their_own_home(
    place: Place, simulator: Simulator, user: User
) -> None:
    home = place.directory("home", user)
    m2m_cycle(place, simulator, user, home)
    user_cycle(place, simulator, user, home)
    login_cycle(place, simulator, user, home)
    check_private(home, user)


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755], ids=oct)
def test_i9_05_root_in_the_home_of_another_user(
    place: Place, simulator: Simulator, root: User, other: User, mode: int
) -> None:
    """`sudo -E`, or a container that runs as root with a user's home."""
    home = place.directory("home", other, mode)
    m2m_cycle(place, simulator, root, home)
    check_private(home, other)
    login_cycle(place, simulator, root, home)
    check_private(home, other)
    user_cycle(place, simulator, other, home)
    check_private(home, other)


def test_i9_05_root_and_the_user_of_the_home_share_a_session(
    place: Place, simulator: Simulator, root: User, other: User
) -> None:
    home = place.directory("home", other)
    tokens = seed(simulator, home, other)
    by_root = access_token(place.run(root, home, "print-access-token"))
    check_private(home, other)
    assert access_token(place.run(other, home, "print-access-token")) == by_root
    assert sdk_reads(other, token_file(home)) == by_root
    assert place.run(other, home, "refresh").code == 0
    by_user = access_token(place.run(other, home, "print-access-token"))
    assert access_token(place.run(root, home, "print-access-token")) == by_user
    assert place.run(root, home, "refresh").code == 0
    check_private(home, other)
    check_lives(simulator, tokens, 3)


def test_i9_05_root_has_no_more_rights_in_the_home_of_another_user_than_that_user(
    place: Place, simulator: Simulator, root: User, other: User
) -> None:
    """The kernel enforces the rights of the user, so that no file of root is read for that user."""
    home = place.directory("home", other)
    secret = place.directory("of-root", root)
    put(secret / "token.json", as_the_sdk_writes(simulator.seed(lifetime=HOUR)), root)
    put(token_file(home).with_name("unused"), "", other)
    link(token_file(home), secret / "token.json", other)
    with unchanged(secret):
        finished = place.run(root, home, "print-access-token")
    assert finished.code != 0, finished


def test_i9_05_root_renames_a_damaged_file_in_the_home_of_another_user_as_that_user(
    place: Place, simulator: Simulator, root: User, other: User
) -> None:
    home = place.directory("home", other)
    put(token_file(home), "damage", other)
    assert place.run(root, home, "print-access-token").code == 3
    assert list(token_file(home).parent.glob("token.json.corrupt-*"))
    check_private(home, other)


def test_i9_05_threads_of_root_do_not_share_the_rights_of_a_user(
    place: Place, simulator: Simulator, root: User, other: User, third: User
) -> None:
    """The rights are those of one thread, and only while it works on the files of that user."""
    homes = {user: place.directory(f"home-{user.uid}", user) for user in (root, other, third)}
    sessions = [
        planetkey.Session.from_m2m(
            simulator.client_id,
            simulator.client_secret,
            storage_root=home,
            deployment=simulator.deployment,
            allow_insecure_loopback=True,
        )
        for home in homes.values()
        for _ in range(3)
    ]
    of_root = place.directory("of-root", root)

    def work(session: planetkey.Session) -> None:
        for number in range(5):
            session.refresh()
            # Between two calls the thread is root.
            put(of_root / f"{threading.get_ident()}-{number}", "", root)

    with ThreadPoolExecutor(len(sessions)) as threads:
        list(threads.map(work, sessions))
    for user, home in homes.items():
        check_private(home, user)
    check_private(of_root, root)
    assert (os.geteuid(), os.getegid()) == (0, 0)


@pytest.mark.parametrize("is_mounted", [True, False], ids=["bind mount", "directory"])
def test_i9_05_root_with_only_planet_of_another_user(
    place: Place, simulator: Simulator, root: User, other: User, is_mounted: bool
) -> None:
    """A container that runs as root with the host's `~/.planet` mounted into its own home."""
    users_home = place.directory("users-home", other)
    planet = place.directory("users-home/.planet", other)
    home = place.directory("home", root)
    mountpoint = place.directory("home/.planet", root) if is_mounted else home / ".planet"
    within = (
        after_mounting('mount --bind "$1" "$2"', planet, mountpoint, user=root)
        if is_mounted
        else ()
    )
    if not is_mounted:
        planet.rename(mountpoint)
        link(planet, mountpoint, other)
        home.chmod(0o755)
    source = planet if is_mounted else mountpoint

    m2m_cycle(place, simulator, root, home, within)
    check_private(source, other)
    assert (home / ".planet.json").stat().st_uid == 0
    tokens = simulator.seed(lifetime=HOUR, age=2 * HOUR)
    file = put(source / USER_PROFILE / "token.json", as_the_sdk_writes(tokens), other)
    by_root = access_token(
        place.run(root, home, "--profile", USER_PROFILE, "print-access-token", within=within)
    )
    check_private(source, other)
    assert sdk_reads(other, file) == by_root
    # The user's own programs go on with it, and root after them.
    users_root = users_home if is_mounted else home
    assert (
        access_token(place.run(other, users_root, "--profile", USER_PROFILE, "print-access-token"))
        == by_root
    )
    assert place.run(other, users_root, "--profile", USER_PROFILE, "refresh").code == 0
    assert place.run(root, home, "--profile", USER_PROFILE, "refresh", within=within).code == 0
    check_private(source, other)
    check_lives(simulator, tokens, 3)


# As in core/tests/profiles/sops.rs: encrypts by base64. It writes down who runs it.
SOPS = """#!/bin/sh
id -u >> "{log}"
case "$1" in
-d) sed 's/.*"data": "\\([^"]*\\)".*/\\1/' "$2" | base64 -d ;;
*) printf '{{"data": "%s", "sops": {{"version": "test"}}}}' "$(base64 | tr -d '\\n')" ;;
esac
"""


@pytest.mark.parametrize("where", ["own home", "home of another user"])
def test_i9_05_sops_runs_as_the_user_of_the_home(
    place: Place, simulator: Simulator, root: User, other: User, where: str
) -> None:
    owner = other if where == "home of another user" else root
    home = place.directory("home", owner)
    log = put(place.path / "log", "", root, 0o666)
    programs = place.directory("programs", root, 0o755)
    put(programs / "sops", SOPS.format(log=log), root, 0o755)
    more = {"PATH": f"{programs}:{os.environ['PATH']}"}
    login = (
        "login",
        "--auth-client-id",
        simulator.client_id,
        "--auth-client-secret-file",
        "-",
        "--yes",
        "--sops",
    )
    finished = place.run(root, home, *login, stdin=simulator.client_secret, more=more)
    assert finished.code == 0, finished
    access_token(place.run(root, home, "print-access-token", more=more))
    check_private(home, owner)
    assert set(log.read_text().split()) == {str(owner.uid)}


@pytest.mark.parametrize("umask", ["0777", "0477", "0000"])
def test_i9_05_a_login_reports_success_only_if_the_session_can_be_read(
    place: Place, simulator: Simulator, ordinary: User, umask: str
) -> None:
    home = place.directory("home", ordinary)
    put(token_file(home, m2m_profile(simulator)).with_name("unused"), "", ordinary)
    within = ("sh", "-c", f'umask {umask}; exec "$@"', "sh", *switch_to(ordinary))
    finished = m2m_login(place, simulator, ordinary, home, within=within)
    if finished.code == 0:
        access_token(
            place.run(ordinary, home, "--profile", m2m_profile(simulator), "print-access-token")
        )
        check_private(home, ordinary)
    else:
        assert finished.is_refusal, finished


# What the mount shows: the mode, and whether the owner is the user of the test or a third one.
SQUASHED = {
    "NFS all_squash": (NO_MODE, "third"),
    "CIFS uid= of another user": (0o755, "third"),
    "CIFS without permissions": (0o777, "third"),
    "drvfs with uid=": (0o777, "self"),
}


@contextmanager
def squashed_home(place: Place, shown: User, mode: int) -> Iterator[Path]:
    """A home on a squashed mount. On the server everything belongs to root."""
    source = place.directory("server", ROOT)
    with squashed(source, place.directory("home", ROOT, 0o755), shown, mode) as home:
        yield home


@pytest.mark.parametrize("name", SQUASHED)
def test_i9_05_a_squashed_home_works(
    place: Place, simulator: Simulator, root: User, user: User, third: User, name: str
) -> None:
    mode, shown = SQUASHED[name]
    with squashed_home(place, user if shown == "self" else third, mode) as home:
        m2m_cycle(place, simulator, user, home)
        user_cycle(place, simulator, user, home, is_mount=True)
        login_cycle(place, simulator, user, home)
        assert not list(home.rglob("*.tmp"))


@pytest.mark.parametrize(
    "options", [("--perms=0777",), ("--perms=a=rwX",)], ids=lambda options: options[0]
)
@pytest.mark.parametrize("shown", ["self", "third"])
def test_i9_05_a_squashed_home_of_bindfs_works(
    place: Place,
    simulator: Simulator,
    root: User,
    user: User,
    third: User,
    shown: str,
    options: tuple[str, ...],
) -> None:
    """The permissions are the kernel's, and all owners and modes are what bindfs shows."""
    source = place.directory("server", user)
    ignore = ("--chmod-ignore", "--chown-ignore", "--chgrp-ignore")
    with bindfs(
        source, place.directory("home", root), user if shown == "self" else third, *options, *ignore
    ) as home:
        m2m_cycle(place, simulator, user, home)
        user_cycle(place, simulator, user, home, is_mount=True)


def test_i9_05_only_planet_on_a_squashed_mount(
    place: Place, simulator: Simulator, root: User, ordinary: User, third: User
) -> None:
    home = place.directory("home", ordinary)
    source = place.directory("server", root)
    with squashed(source, place.directory("home/.planet", ordinary), third, NO_MODE):
        m2m_cycle(place, simulator, ordinary, home)
        user_cycle(place, simulator, ordinary, home, is_mount=True)


def test_i9_05_a_file_of_another_user_on_an_ordinary_file_system_is_no_squashed_mount(
    place: Place, simulator: Simulator, ordinary: User, third: User
) -> None:
    """A file is believed because new files get its owner, and for no other reason."""
    home = place.directory("home", ordinary, 0o755)
    tokens = seed(simulator, home, ordinary)
    own(token_file(home), third)
    token_file(home).chmod(0o644)
    finished = place.run(ordinary, home, "print-access-token")
    assert finished.is_refusal, finished
    assert str(token_file(home)) in finished.errors
    check_lives(simulator, tokens, 0)


CONTAINERS = {
    "0770": (0o770, None),
    "0775": (0o775, None),
    "0770 of group 0": (0o770, 0),
    "0775 of group 0": (0o775, 0),
}


@pytest.mark.parametrize("is_prepared", [False, True], ids=["empty home", "home of the image"])
@pytest.mark.parametrize("has_root_owner", [False, True], ids=["owner is a user", "owner is root"])
@pytest.mark.parametrize("name", CONTAINERS)
def test_i9_05_a_uid_without_an_entry_in_a_home_of_its_group(
    place: Place,
    simulator: Simulator,
    root: User,
    ordinary: User,
    other: User,
    name: str,
    has_root_owner: bool,
    is_prepared: bool,
) -> None:
    """A container that runs with a random uid, as in OpenShift. The image has made the home."""
    mode, group = CONTAINERS[name]
    group = other.gid if group is None else group
    owner = User(0 if has_root_owner else other.uid, group)
    user = replace(ordinary, gid=group)
    home = place.directory("home", owner, mode)
    if is_prepared:
        for directory in (
            home / ".planet",
            home / ".planet" / USER_PROFILE,
            home / ".planet" / m2m_profile(simulator),
        ):
            directory.mkdir()
            directory.chmod(mode)
            own(directory, owner)
        put(config_file(home, m2m_profile(simulator)), m2m_config(simulator), owner, 0o640)
        profile = ("--profile", m2m_profile(simulator))
        first = access_token(place.run(user, home, *profile, "print-access-token"))
        assert access_token(place.run(user, home, *profile, "print-access-token")) == first
        assert simulator.count("m2m.token") == 1
    else:
        m2m_cycle(place, simulator, user, home)
    login_cycle(place, simulator, user, home)
    for path in home.rglob("token.json*"):
        assert path.stat().st_uid == user.uid
        assert path.stat().st_mode & 0o777 == 0o600


def test_i9_05_the_owner_of_a_home_that_others_may_write_is_not_trusted(
    place: Place, simulator: Simulator, root: User, ordinary: User, other: User
) -> None:
    home = place.directory("home", other, 0o777)
    put(config_file(home, "mine"), m2m_config(simulator), other, 0o644)
    for directory in (home / ".planet", home / ".planet" / "mine"):
        directory.chmod(0o755)
    finished = place.run(ordinary, home, "--profile", "mine", "print-access-token")
    assert finished.is_refusal, finished
    assert simulator.count("m2m.token") == 0
