"""Directories of a test, the users that own them, and what a test must leave as it is."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator import REPOSITORY, clean_environment, command

TOOLS = REPOSITORY / "build" / "host"
# Long enough for a slow host. A command that still runs then hangs, and is killed.
HANGS_AFTER_S = 30


@dataclass(frozen=True)
class User:
    """A user by number. The numbers of the tests have no entry in the user database."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    @property
    def is_this(self) -> bool:
        """Whether the tests run as this user."""
        return self.uid == os.geteuid()

    @property
    def switch(self) -> dict[str, Any]:
        """The arguments of `subprocess` that start a program as this user."""
        return (
            {}
            if self.is_this
            else {"user": self.uid, "group": self.gid, "extra_groups": self.groups}
        )


ROOT = User(0, 0)


def this_user() -> User:
    """The user that runs the tests."""
    return User(os.geteuid(), os.getegid())


@dataclass(frozen=True)
class Finished:
    """What a program wrote, and how it ended."""

    code: int
    output: str
    errors: str

    @property
    def is_refusal(self) -> bool:
        """Whether it ended with STORAGE or MISCONFIGURED."""
        return self.code in (2, 10)


def well(finished: Finished) -> str:
    """The output of a program that succeeded."""
    assert finished.code == 0, finished
    return finished.output


@dataclass
class Place:
    """The directory of one test. Every user can search it."""

    path: Path
    program: Path
    environment: dict[str, str] = field(default_factory=dict)

    def directory(self, name: str, owner: User, mode: int = 0o700) -> Path:
        """Makes a directory below this place, or below another one of the test."""
        path = self.path / name
        path.mkdir()
        path.chmod(mode)
        own(path, owner)
        return path

    def run(
        self,
        user: User,
        home: Path | str | None,
        *arguments: str,
        stdin: str | None = None,
        more: Mapping[str, str] | None = None,
        within: tuple[str, ...] = (),
        program: Path | str | None = None,
    ) -> Finished:
        """Runs planetkey, or another program, as a user with a home directory.

        `within` is a program that starts it, with its arguments.
        """
        started = [*within, program or self.program, *arguments]
        environment = {**clean_environment(), **self.environment, **(more or {})}
        environment.pop("HOME", None)
        if home is not None:
            environment["HOME"] = str(home)
        # With `within` the caller changes the user, because mounts need root.
        switch: dict[str, Any] = {} if within else user.switch
        finished = subprocess.run(
            started,
            input=stdin or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=HANGS_AFTER_S,
            check=False,
            env=environment,
            cwd=self.path,
            **switch,
        )
        return Finished(finished.returncode, finished.stdout.rstrip("\n"), finished.stderr)


def own(path: Path, owner: User) -> None:
    """Gives a file of the test to a user."""
    if (owner.uid, owner.gid) != (os.geteuid(), os.getegid()):
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def put(file: Path, content: str | bytes, owner: User, mode: int = 0o600) -> Path:
    """Makes a file, and the directories that it lacks (0700), for its owner."""
    missing = [parent for parent in file.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700)
        own(parent, owner)
    file.touch(mode=0o600)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    own(file, owner)
    return file


def link(path: Path, target: Path | str, owner: User) -> Path:
    """Makes a symbolic link that belongs to a user."""
    path.symlink_to(target)
    own(path, owner)
    return path


def facts(path: Path) -> tuple[object, ...]:
    """What must not change about a file: owner, mode, kind, device number, content."""
    status = path.lstat()
    content: object = None
    if stat.S_ISREG(status.st_mode):
        content = path.read_bytes()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    return (status.st_uid, status.st_gid, status.st_mode, status.st_rdev, content)


def snapshot(directory: Path) -> dict[str, tuple[object, ...]]:
    """The facts of a directory and of everything below it. Links are not followed."""
    seen = {".": facts(directory)}
    for folder, directories, files in os.walk(directory):
        for name in (*directories, *files):
            path = Path(folder) / name
            seen[str(path.relative_to(directory))] = facts(path)
    return seen


@contextmanager
def unchanged(*paths: Path) -> Iterator[None]:
    """Fails if anything below these paths is another after the block."""
    before = {path: snapshot(path) for path in paths}
    yield
    for path, seen in before.items():
        now = snapshot(path)
        changed = {name for name in seen.keys() | now.keys() if seen.get(name) != now.get(name)}
        assert not changed, [(name, seen.get(name), now.get(name)) for name in sorted(changed)]


def mounts_below(directory: Path) -> list[str]:
    """Mount points below a directory."""
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{directory}/")]


def remove(directory: Path) -> None:
    """Removes a directory of the tests, but never what is mounted below it."""
    assert not mounts_below(directory), mounts_below(directory)
    shutil.rmtree(directory)


def install_program(directory: Path) -> Path:
    """A copy of the command that every user can run, wherever the repository is."""
    directory.mkdir()
    directory.chmod(0o755)
    program = directory / "planetkey"
    shutil.copyfile(command(), program)
    program.chmod(0o755)
    return program


def is_reachable(directory: Path) -> bool:
    """Whether every user can search this directory."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (directory, *directory.parents))
