"""Number 6:

a token file that cannot be replaced by a rename is rewritten in place, or refused before the
exchange.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mounts import after_mounting, attribute
from places import Place, User, own
from sessions import access_token, check_lives, saved, seed, token_file
from simulator import Simulator


@dataclass
class Obstacle:
    """What stands in the way of a rename."""

    script: str = ""
    file_attribute: str = ""
    directory_attribute: str = ""
    directory_mode: int = 0o700
    file_mode: int = 0o600

    @contextmanager
    def set_up(self, file: Path, source: Path, user: User) -> Iterator[tuple[str, ...]]:
        """Puts it there; gives what commands are to be started with."""
        with ExitStack() as stack:
            file.chmod(self.file_mode)
            file.parent.chmod(self.directory_mode)
            stack.callback(file.chmod, 0o600)
            stack.callback(file.parent.chmod, 0o700)
            if self.file_attribute:
                stack.enter_context(attribute(file, self.file_attribute))
            if self.directory_attribute:
                stack.enter_context(attribute(file.parent, self.directory_attribute))
            yield (
                after_mounting(self.script, source, file, file.parent, user=user)
                if self.script
                else ()
            )


BIND = 'mount --bind "$1" "$2"'
READ_ONLY_DIRECTORY = 'mount --bind "$3" "$3"; mount -o remount,ro,bind "$3"'

# Only the file itself can be written.
IN_PLACE = {
    "bind mount": Obstacle(script=BIND),
    "bind mount in a read-only directory": Obstacle(script=f"{READ_ONLY_DIRECTORY}; {BIND}"),
    "append-only directory": Obstacle(directory_attribute="a"),
    "immutable directory": Obstacle(directory_attribute="i"),
}
# Nothing can be written.
IMPOSSIBLE = {
    "read-only bind mount": Obstacle(script=f'{BIND}; mount -o remount,ro,bind "$2"'),
    "immutable file": Obstacle(file_attribute="i"),
    "append-only file": Obstacle(file_attribute="a"),
    "read-only directory and file system": Obstacle(script=READ_ONLY_DIRECTORY),
}


def prepare(
    place: Place, simulator: Simulator, user: User
) -> tuple[Path, dict[str, object], Path, Path]:
    """A home with an expired session, and the file that a bind mount shows instead of it."""
    home = place.directory("home", user)
    tokens = seed(simulator, home, user)
    file = token_file(home)
    source = place.directory("volume", user) / "token.json"
    source.write_bytes(file.read_bytes())
    source.chmod(0o600)
    own(source, user)
    return home, tokens, file, source


@pytest.mark.parametrize("name", IN_PLACE)
def test_i9_06_a_file_that_can_only_be_rewritten_is_rewritten_in_place(
    place: Place, simulator: Simulator, root: User, user: User, name: str
) -> None:
    home, tokens, file, source = prepare(place, simulator, user)
    obstacle = IN_PLACE[name]
    shown = source if obstacle.script else file
    inode = shown.stat().st_ino
    with obstacle.set_up(file, source, user) as within:
        first = access_token(place.run(user, home, "print-access-token", within=within))
        assert saved(shown)["access_token"] == first
        assert shown.stat().st_ino == inode
        check_lives(simulator, tokens, 1)
        # The next process reads what the first one has written, and refreshes with it.
        assert access_token(place.run(user, home, "print-access-token", within=within)) == first
        assert place.run(user, home, "refresh", within=within).code == 0
        check_lives(simulator, tokens, 2)
    # No copy of the secrets is left beside the file.
    refresh_token = saved(shown)["refresh_token"]
    beside = [
        path
        for path in shown.parent.iterdir()
        if path != shown and refresh_token in path.read_text()
    ]
    assert not beside


def test_i9_06_a_file_in_a_directory_that_its_user_cannot_write_is_rewritten_in_place(
    place: Place, simulator: Simulator, ordinary: User
) -> None:
    home, tokens, file, _ = prepare(place, simulator, ordinary)
    inode = file.stat().st_ino
    with Obstacle(directory_mode=0o500).set_up(file, file, ordinary):
        first = access_token(place.run(ordinary, home, "print-access-token"))
        assert (saved(file)["access_token"], file.stat().st_ino) == (first, inode)
        assert access_token(place.run(ordinary, home, "print-access-token")) == first
    check_lives(simulator, tokens, 1)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_i9_06_a_file_that_cannot_be_written_is_refused_before_the_exchange(
    place: Place, simulator: Simulator, root: User, user: User, name: str
) -> None:
    home, tokens, file, source = prepare(place, simulator, user)
    with IMPOSSIBLE[name].set_up(file, source, user) as within:
        for command in ("print-access-token", "refresh"):
            finished = place.run(user, home, command, within=within)
            assert finished.code == 10, finished
            assert str(file) in finished.errors
        assert simulator.count("user.token") == 0
        check_lives(simulator, tokens, 0)
    # Once it can be written the session goes on.
    access_token(place.run(user, home, "print-access-token"))
    check_lives(simulator, tokens, 1)


def test_i9_06_a_file_that_its_user_may_only_read_is_refused_before_the_exchange(
    place: Place, simulator: Simulator, ordinary: User
) -> None:
    home, tokens, file, _ = prepare(place, simulator, ordinary)
    with Obstacle(directory_mode=0o500, file_mode=0o400).set_up(file, file, ordinary):
        finished = place.run(ordinary, home, "print-access-token")
        assert finished.code == 10, finished
        check_lives(simulator, tokens, 0)
    access_token(place.run(ordinary, home, "print-access-token"))
    check_lives(simulator, tokens, 1)
