"""Logins of users: a login by either is a session of both."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import planet
import planetkey
import pytest

from both import (
    PLANET_API,
    USER,
    check_lives,
    is_accepted,
    kept,
    planet_command,
    planetkey_command,
    sdk_header,
    token_file,
    tree,
    well,
)
from simulator import Simulator, command

OURS = (command(), "login", "--device", "--no-open-browser")
SDK = (Path(sys.executable).with_name("planet"), "auth", "login", "--no-open-browser", "--yes")
# What each of them shows to the user.
CODE = re.compile(r"\b([A-Z]{4}-[A-Z]{4})\b")


@contextmanager
def logging_in(program: Sequence[str | Path]) -> Iterator[str]:
    """A device login in progress, which must succeed before the block ends. Gives its code."""
    process = subprocess.Popen(
        program,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if found := CODE.search(line):
                yield found[1]
                break
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, "".join(said) + rest
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def quick(simulator: Simulator) -> Simulator:
    """A device need not wait for longer between two polls."""
    simulator.settings(device_interval=1)
    return simulator


@pytest.mark.parametrize("who", [OURS, SDK], ids=["ours", "sdk"])
def test_a_login_by_either_is_a_session_of_both(
    quick: Simulator, home: Path, who: Sequence[str | Path]
) -> None:
    with logging_in(who) as user_code:
        quick.log_in(user_code=user_code, username="ada")
    tokens = kept(token_file(home))
    token = tokens["access_token"]
    assert well(planet_command("auth", "print-access-token")) == token
    assert well(planetkey_command("print-access-token")) == token
    assert sdk_header(planet.Auth.from_user_default_session()) == f"Bearer {token}"
    assert (
        planetkey.Session.from_defaults().headers(PLANET_API)["Authorization"] == f"Bearer {token}"
    )
    # Planet's own command refreshes it, and then planetkey.
    well(planet_command("auth", "refresh"))
    refreshed = kept(token_file(home))["access_token"]
    assert refreshed != token
    assert well(planetkey_command("print-access-token")) == refreshed
    well(planetkey_command("refresh"))
    newest = kept(token_file(home))["access_token"]
    assert newest not in (token, refreshed)
    assert well(planet_command("auth", "print-access-token")) == newest
    check_lives(quick, kept(token_file(home)), refreshes=2)


def test_both_leave_the_same_files_behind(quick: Simulator, home: Path) -> None:
    """But for the tokens themselves, and the times in them."""
    left = []
    for program in (OURS, SDK):
        with logging_in(program) as user_code:
            quick.log_in(user_code=user_code, username="ada")
        files = {name: (mode, json.loads(content)) for name, (mode, content) in tree(home).items()}
        tokens = files[str(token_file(home).relative_to(home))][1]
        for name in ("access_token", "refresh_token", "_iat", "_exp"):
            assert tokens.pop(name)
        left.append(files)
        well(planetkey_command("reset", "--yes"))
        for aside in home.iterdir():
            aside.rename(home.parent / f"{aside.name}-{len(left)}")
    assert left[0] == left[1]


def test_the_official_command_refreshes_a_login_of_planetkey(quick: Simulator, home: Path) -> None:
    """`planet auth print-access-token` prints the token, or a new one if it expired."""
    quick.script("user.token", {"token_response": {"expires_in": 2}}, repeat=True)
    with logging_in(OURS) as user_code:
        quick.log_in(user_code=user_code, username="ada")
    first = kept(token_file(home))
    quick.script("user.token")
    while is_accepted(first["access_token"]):
        pass
    refreshed = well(planet_command("auth", "print-access-token", "--refresh"))
    assert refreshed == kept(token_file(home))["access_token"] != first["access_token"]
    assert is_accepted(refreshed)
    assert well(planetkey_command("print-access-token")) == refreshed
    check_lives(quick, first, refreshes=1)


def test_a_logout_by_planetkey_ends_the_session_of_the_official_login(
    quick: Simulator, home: Path
) -> None:
    with logging_in(SDK) as user_code:
        quick.log_in(user_code=user_code, username="ada")
    refresh_token = kept(token_file(home))["refresh_token"]
    told = json.loads(well(planetkey_command("logout", "--json")))
    assert (told["removed"], told["revocation"]) == (True, "revoked")
    assert quick.session_of(refresh_token)["revoked"] == "revocation"
    assert not planet.Auth.from_user_default_session().is_initialized()
    assert planet_command("auth", "print-access-token").code != 0


def test_another_account_does_not_replace_an_official_login_without_confirmation(
    quick: Simulator, home: Path
) -> None:
    with logging_in(SDK) as user_code:
        quick.log_in(user_code=user_code, username="ada")
    before = token_file(home).read_bytes()
    who = json.loads(well(planetkey_command("status", "--json")))["logged_in"]
    assert (who["profile"], who["subject"]) == (USER, "user|ada")
    program = (*OURS, "--force")
    with pytest.raises(AssertionError, match="DENIED"), logging_in(program) as user_code:
        quick.log_in(user_code=user_code, username="grace")
    assert token_file(home).read_bytes() == before
    with logging_in((*program, "--allow-other-user")) as user_code:
        quick.log_in(user_code=user_code, username="grace")
    who = json.loads(well(planetkey_command("status", "--json")))["logged_in"]
    assert who["subject"] == "user|grace"
    # Planet's own login does not ask.
    with logging_in(SDK) as user_code:
        quick.log_in(user_code=user_code, username="ada")
    who = json.loads(well(planetkey_command("status", "--json")))["logged_in"]
    assert who["subject"] == "user|ada"
