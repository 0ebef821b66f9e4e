"""Number 1:

a user who swaps directories and files for links, while root works in that user's home.
"""

import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import planetkey
import pytest

from places import TOOLS, Place, User, own, put, unchanged
from sessions import as_the_sdk_writes, m2m_config, m2m_profile
from simulator import Simulator

# The directories are raced for as often as the issue asks, and the files in them less often.
TRIES = {"planet": 300, "profile": 300, "temporary": 60, "lock": 60, "token": 60}
# A long path makes each look-up of a name slow, and the time between two of them long.
DEPTH = 200
# Every so many tries end with a logout, which deletes.
LOGOUT_EVERY = 5
COMMAND_TRIES = 25


class Attacker:
    """The program that swaps a name for a link to a target."""

    def __init__(self, user: User, name: str, target: Path) -> None:
        self._process = subprocess.Popen(
            [TOOLS / "attacker", name, target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            user=user.uid,
            group=user.gid,
            extra_groups=[],
        )

    def move(self, directory: Path) -> None:
        """Attacks in this directory from now on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(directory, file=self._process.stdin, flush=True)
        assert self._process.stdout.readline() == "ready\n"

    def end(self) -> None:
        """Ends the attack, and fails if the program has failed before."""
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0


@contextmanager
def attack(user: User, name: str, target: Path) -> Iterator[Attacker]:
    """An attack that ends with the block."""
    attacker = Attacker(user, name, target)
    try:
        yield attacker
        attacker.end()
    finally:
        attacker._process.kill()
        attacker._process.wait()


def deep_home(place: Place, owner: User) -> Path:
    """A home directory at the end of a long chain of directories."""
    home = place.directory("home", owner)
    for _ in range(DEPTH):
        home = home / "directory"
        home.mkdir(mode=0o700)
        own(home, owner)
    return home


def outside_of(place: Place, simulator: Simulator, root: User) -> Path:
    """A directory of root with files that have the names of planetkey's."""
    outside = place.directory("outside", root, 0o755)
    for directory in (outside, outside / m2m_profile(simulator)):
        put(directory / "token.json", as_the_sdk_writes({"access_token": "of root"}), root)
        put(directory / "auth_client.json", m2m_config(simulator), root)
        put(directory / "token.json.lock", "of root", root)
    return put(outside / "secret", "of root", root).parent


@pytest.mark.timeout(600)
@pytest.mark.parametrize("swapped", TRIES)
def test_i9_01_nothing_outside_changes_while_another_user_swaps_links(
    place: Place,
    simulator: Simulator,
    root: User,
    other: User,
    swapped: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Each refusal is a record with a long path in it.
    caplog.set_level(logging.CRITICAL, "planetkey")
    home = deep_home(place, other)
    outside = outside_of(place, simulator, root)
    profile = m2m_profile(simulator)
    name, target = {
        "planet": (".planet", outside),
        "profile": (f".planet/{profile}", outside / profile),
        "temporary": (f".planet/{profile}/*", outside / "secret"),
        "lock": (f".planet/{profile}/token.json.lock", outside / "secret"),
        "token": (f".planet/{profile}/token.json", outside / "secret"),
    }[swapped]
    with unchanged(outside), attack(other, name, target) as attacker:
        for number in range(TRIES[swapped]):
            storage_root = home / str(number)
            # The directory that the attacker works in is there before.
            needed = storage_root / Path(name).parent
            for directory in reversed(
                [needed, *needed.parents[: len(needed.relative_to(home).parts) - 1]]
            ):
                directory.mkdir(mode=0o700)
                own(directory, other)
            attacker.move(storage_root)
            _use(simulator, storage_root, logs_out=number % LOGOUT_EVERY == 0)


def _use(simulator: Simulator, storage_root: Path, *, logs_out: bool) -> None:
    """A refresh, whose outcome the attacker decides."""
    try:
        session = planetkey.Session.from_m2m(
            simulator.client_id,
            simulator.client_secret,
            storage_root=storage_root,
            deployment=simulator.deployment,
            allow_insecure_loopback=True,
        )
        session.refresh()
        if logs_out:
            session.logout(revoke=False)
    except planetkey.Error:
        pass


@pytest.mark.timeout(600)
@pytest.mark.parametrize("swapped", ["planet", "profile"])
def test_i9_01_nothing_outside_changes_by_profile_commands_while_another_user_swaps_links(
    place: Place, simulator: Simulator, root: User, other: User, swapped: str
) -> None:
    home = deep_home(place, other)
    outside = outside_of(place, simulator, root)
    name, target = (
        (".planet", outside)
        if swapped == "planet"
        else (".planet/mine", outside / m2m_profile(simulator))
    )
    with unchanged(outside), attack(other, name, target) as attacker:
        for number in range(COMMAND_TRIES):
            storage_root = home / str(number)
            os.mkdir(storage_root, 0o700)
            own(storage_root, other)
            put(
                storage_root / ".planet" / "mine" / "auth_client.json", m2m_config(simulator), other
            )
            attacker.move(storage_root)
            for arguments in (
                (
                    "login",
                    "--auth-client-id",
                    "a",
                    "--auth-client-secret-file",
                    "-",
                    "--no-verify",
                    "--yes",
                ),
                ("profile", "copy", "mine", "copied"),
                ("profile", "set", "mine"),
                ("profile", "delete", "mine", "--yes"),
                ("reset", "--yes"),
            ):
                place.run(root, storage_root, *arguments, stdin="a secret")
