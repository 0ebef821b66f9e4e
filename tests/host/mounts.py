"""File systems and attributes that stand in the way of a rename, or show other owners."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from places import TOOLS, User


def switch_to(user: User) -> tuple[str, ...]:
    """The program by which root becomes a user, also inside of `unshare`."""
    groups = f"--groups={','.join(map(str, user.groups))}" if user.groups else "--clear-groups"
    return () if user.is_this else ("setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", groups)


def after_mounting(script: str, *arguments: Path | str, user: User) -> tuple[str, ...]:
    """What starts a program in a mount namespace of its own, after a script of root in it.

    The arguments are $1, $2 and so on of the script.
    """
    count = len(arguments)
    text = f'set -e; {script}; shift {count}; exec "$@"'
    return ("unshare", "--mount", "sh", "-c", text, "sh", *map(str, arguments), *switch_to(user))


@contextmanager
def attribute(path: Path, letter: str) -> Iterator[None]:
    """The file or directory is immutable (i) or append-only (a) inside the block."""
    done = subprocess.run(
        ["chattr", f"+{letter}", path], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"this file system has no such attribute: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["chattr", f"-{letter}", path], check=True)


@contextmanager
def _fuse(*command: str | Path, mountpoint: Path) -> Iterator[Path]:
    if not Path("/dev/fuse").exists():
        pytest.skip("needs /dev/fuse")
    process = subprocess.Popen(
        [*command], cwd="/", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        # The process serves the mount, and ends early if it cannot.
        while not mountpoint.is_mount():
            if process.poll() is not None:
                pytest.skip(f"cannot mount: {process.stderr.read().strip()}")
        yield mountpoint
    finally:
        if mountpoint.is_mount():
            subprocess.run(["fusermount3", "-u", mountpoint], check=True)
        process.communicate(timeout=30)


@contextmanager
def squashed(source: Path, mountpoint: Path, shown: User, mode: int = 0) -> Iterator[Path]:
    """Everything below shows this owner, and this mode unless it is 0; `squash.c` says more."""
    program = (TOOLS / "squash", str(shown.uid), str(shown.gid), f"{mode:o}", source, mountpoint)
    with _fuse(*program, "-f", "-s", "-o", "allow_other", mountpoint=mountpoint) as mounted:
        yield mounted


@contextmanager
def bindfs(source: Path, mountpoint: Path, shown: User, *options: str) -> Iterator[Path]:
    """The same by bindfs. The kernel checks the permissions that bindfs shows."""
    owner = (f"--force-user={shown.uid}", f"--force-group={shown.gid}")
    with _fuse(
        "bindfs", "-f", *owner, *options, source, mountpoint, mountpoint=mountpoint
    ) as mounted:
        yield mounted
