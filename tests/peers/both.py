"""planetkey and Planet's SDK, as users have them: the command, and the package in this process."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import planet
from planet_auth.oidc.oidc_credential import FileBackedOidcCredential

from simulator import Simulator, command

PLANET_API = "https://api.planet.com/data/v1/item-types"
LOGIN = "https://login.planet.com/"
HOUR = 3600
USER = "planet-user"


@dataclass(frozen=True)
class Finished:
    """What a program said, and how it ended."""

    code: int
    output: str
    errors: str


def run(program: Path, *arguments: str, stdin: str | None = None) -> Finished:
    source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    finished = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False, **source
    )
    return Finished(finished.returncode, finished.stdout.rstrip("\n"), finished.stderr)


def planet_program(*arguments: str) -> Finished:
    """Planet's own command as it is installed. It takes its time."""
    return run(Path(sys.executable).with_name("planet"), *arguments)


class PlanetCommands:
    """Planet's own command, imported once."""

    def __init__(self, directory: Path) -> None:
        self._output, self._errors = directory / "output", directory / "errors"
        self._process: subprocess.Popen[str] | None = None

    def run(self, arguments: Sequence[str]) -> Finished:
        call = {
            "arguments": arguments,
            "environment": dict(os.environ),
            "directory": os.getcwd(),
            "output": str(self._output),
            "errors": str(self._errors),
        }
        try:
            code = self._ask(json.dumps(call))
        except BaseException:
            # A test timed out: the next one must not get its output.
            self.end()
            raise
        return Finished(code, self._output.read_text().rstrip("\n"), self._errors.read_text())

    def _ask(self, call: str) -> int:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("commands.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                # A group of its own, which can be ended with the call that it carries out.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(call + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


_commands: list[PlanetCommands] = []


@contextmanager
def planet_commands(directory: Path) -> Iterator[None]:
    """In the meantime there is `planet_command`."""
    _commands.append(PlanetCommands(directory))
    try:
        yield
    finally:
        _commands.pop().end()


def planet_command(*arguments: str) -> Finished:
    """Planet's own command, in a process of its own that need not import it."""
    return _commands[0].run(arguments)


def planetkey_command(*arguments: str, stdin: str | None = None) -> Finished:
    """Ours."""
    return run(command(), *arguments, stdin=stdin)


@contextmanager
def planetkey_asking() -> Iterator[Callable[[], str]]:
    """Requests an access token with planetkey on another thread. Calling the result returns it."""
    process = subprocess.Popen(
        [command(), "print-access-token"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def token() -> str:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return output.rstrip("\n")

    # Leaving it kills nothing that has ended.
    with process:
        try:
            yield token
        finally:
            process.kill()


def well(finished: Finished) -> str:
    """The output of a program that ended well."""
    assert finished.code == 0, finished.errors
    return finished.output


def sdk_header(auth: planet.Auth, url: str = PLANET_API) -> str:
    """The header of a request of the SDK. The simulator must accept it."""
    with httpx.Client(auth=auth) as client:
        response = client.get(url)
    assert response.status_code == 200, response.text
    return response.request.headers["Authorization"]


# What only planetkey saves is beside the SDK's files.
PRIVATE = {"token.json.lock", "token.planetkey.json"}


def tree(home: Path) -> dict[str, tuple[int, bytes]]:
    """The files in a home directory that are the SDK's, with their modes."""
    files = [file for file in home.rglob("*") if file.is_file()]
    for file in files:
        assert file.name not in PRIVATE or file.stat().st_mode & 0o777 == 0o600
    return {
        str(file.relative_to(home)): (file.stat().st_mode & 0o777, file.read_bytes())
        for file in files
        if file.name not in PRIVATE
    }


def is_accepted(access_token: str) -> bool:
    """Whether the Planet API takes it."""
    with httpx.Client() as client:
        return (
            client.get(PLANET_API, headers={"Authorization": f"Bearer {access_token}"}).status_code
            == 200
        )


def token_file(home: Path, profile: str = USER) -> Path:
    return home / ".planet" / profile / "token.json"


def config_file(home: Path, profile: str) -> Path:
    return home / ".planet" / profile / "auth_client.json"


def kept(file: Path) -> dict[str, Any]:
    return json.loads(file.read_bytes())


def as_the_sdk_writes(members: Mapping[str, Any]) -> bytes:
    """The bytes of the SDK's files."""
    return json.dumps(members, indent=2, sort_keys=True).encode()


def put(file: Path, content: Mapping[str, Any] | bytes | str) -> Path:
    """Puts a file where it belongs, for its owner alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    match content:
        case bytes():
            file.write_bytes(content)
        case str():
            file.write_bytes(content.encode())
        case _:
            file.write_bytes(as_the_sdk_writes(content))
    return file


def save_by_the_sdk(file: Path, tokens: Mapping[str, Any]) -> None:
    """What the SDK does with a token response."""
    FileBackedOidcCredential(data=dict(tokens), credential_file=file).save()


def seed_user(
    simulator: Simulator, home: Path, *, age: int = 0, profile: str = USER, **session: Any
) -> dict[str, Any]:
    """A user session of the SDK's own client, saved `age` seconds ago."""
    tokens = simulator.seed(issuer=LOGIN, lifetime=HOUR, age=age, **session)
    put(token_file(home, profile), tokens)
    return tokens


def check_lives(simulator: Simulator, tokens: Mapping[str, Any], refreshes: int) -> None:
    """The session of these tokens is alive and was refreshed so often, never with an old token."""
    session = simulator.session_of(tokens["refresh_token"])
    assert session["active"], session
    assert (session["rotations"], session["reuse"], session["repeats"]) == (refreshes, 0, 0)
