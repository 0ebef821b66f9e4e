"""strace of a refresh:

once the directory of the profile is open, no call uses a path from the root.
"""

import re
from pathlib import Path

import pytest

from mounts import switch_to
from places import Place, User
from sessions import access_token, check_lives, seed
from simulator import Simulator

LOCK = "token.json.lock"


def trace(place: Place, user: User, home: Path) -> list[str]:
    """The calls with a path of a command that refreshes, in their order."""
    output = place.path / "trace"
    # strace stays root where it can: a process without core dumps cannot be read by its user.
    within = ("strace", "-f", "-y", "-s", "4096", "-e", "trace=%file", "-o", str(output))
    switch = () if user.is_this else switch_to(user)
    access_token(place.run(user, home, "print-access-token", within=(*within, *switch)))
    return output.read_text().splitlines()


def calls_after_the_lock(lines: list[str]) -> list[str]:
    """Those from the one that opens the lock file."""
    for number, line in enumerate(lines):
        if f'"{LOCK}"' in line or f'/{LOCK}"' in line:
            return lines[number:]
    raise AssertionError("the lock file was not opened")


@pytest.fixture
def lines(place: Place, simulator: Simulator, user: User) -> tuple[Path, list[str]]:
    home = place.directory("home", user)
    tokens = seed(simulator, home, user)
    traced = trace(place, user, home)
    check_lives(simulator, tokens, 1)
    if not any(LOCK in line for line in traced):
        pytest.skip("strace cannot read the strings of this process; it needs root")
    return home, traced


def test_i9_01_after_the_walk_no_call_takes_an_absolute_path(lines: tuple[Path, list[str]]) -> None:
    home, traced = lines
    absolute = [
        line
        for line in calls_after_the_lock(traced)
        if re.search(rf'"{re.escape(str(home))}(/|")', line)
    ]
    assert not absolute, absolute


def test_i9_01_after_the_walk_no_call_is_relative_to_the_working_directory(
    lines: tuple[Path, list[str]],
) -> None:
    _, traced = lines
    names = re.compile(r'AT_FDCWD(<[^>]*>)?, "(token|\.token|auth_client|\.planet)')
    relative = [line for line in traced if names.search(line)]
    assert not relative, relative


def test_i9_01_every_component_is_opened_without_following_links(
    lines: tuple[Path, list[str]],
) -> None:
    home, traced = lines
    for component in (home.name, ".planet", "planet-user"):
        opened = [
            line for line in traced if re.search(rf'openat2?\(.*"{re.escape(component)}", ', line)
        ]
        assert opened, f"{component} is not opened by its name"
        for line in opened:
            assert "AT_FDCWD" not in line, line
            assert "O_NOFOLLOW" in line, line
            assert "O_DIRECTORY" in line or "O_PATH" in line, line


def test_i9_01_no_file_is_opened_by_a_path_below_the_storage_root(
    lines: tuple[Path, list[str]],
) -> None:
    home, traced = lines
    changing = (
        "open",
        "rename",
        "unlink",
        "mkdir",
        "chown",
        "chmod",
        "link",
        "symlink",
        "truncate",
        "rmdir",
    )
    by_path = [
        line
        for line in traced
        if (call := re.search(r"(\w+)\(", line))
        and any(call[1].startswith(prefix) for prefix in changing)
        and re.search(rf'"{re.escape(str(home))}/', line)
    ]
    assert not by_path, by_path
