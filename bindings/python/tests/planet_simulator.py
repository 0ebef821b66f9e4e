"""The simulator as the tests use it: its control API, and sessions on its servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, Generic, TypeVar

import planetkey
import simulator
from simulator import clean_environment

T = TypeVar("T")

# The directories of the modules of these tests.
MODULES = (str(Path(__file__).parent), str(Path(simulator.__file__).parent))

USER_PROFILE = "planet-user"


def token_file(profile: str, root: Path | None = None) -> Path:
    """The file of a profile's tokens, by default below the home directory."""
    return (root or Path(os.environ["HOME"])) / ".planet" / profile / "token.json"


def sdk_text(members: Mapping[str, object]) -> str:
    """The text of a JSON file as Planet's SDK writes it."""
    return json.dumps(members, indent=2, sort_keys=True)


class Simulator(simulator.Simulator):
    """A running simulator, and sessions on it."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__(facts)
        self._children: list[subprocess.Popen[str]] = []

    def environment(self) -> dict[str, str]:
        """The environment of a child process whose `from_defaults` finds the simulator."""
        return (
            clean_environment()
            | self.loopback_environment()
            | {
                "PL_API_KEY": self.api_key,
                "PL_AUTH_CLIENT_ID": self.client_id,
                "PL_AUTH_CLIENT_SECRET": self.client_secret,
                "PLANETKEY_SIMULATOR_PLANET_API": self.planet_api,
                "PLANETKEY_SIMULATOR_SENTINEL_HUB_API": self.sentinel_hub_api,
            }
        )

    def m2m(self, **options: Any) -> planetkey.Session:  # noqa: ANN401
        """A new session of the simulator's M2M client."""
        return planetkey.Session.from_m2m(
            self.client_id,
            self.client_secret,
            deployment=self.deployment,
            allow_insecure_loopback=True,
            **options,
        )

    def user(self, **options: Any) -> planetkey.Session:  # noqa: ANN401
        """A new session of the user of the built-in profile."""
        return planetkey.Session.from_profile(
            USER_PROFILE, deployment=self.deployment, allow_insecure_loopback=True, **options
        )

    @property
    def m2m_profile(self) -> str:
        """The profile of the tokens of the simulator's M2M client."""
        return f"planet-m2m-{self.client_id}".lower()

    def saved_login(self, root: Path | None = None, **wanted: object) -> dict[str, Any]:
        """Opens a user session at the server and saves it as Planet's SDK does.

        Returns the token response of the login.
        """
        response = self.seed(**wanted)
        file = token_file(USER_PROFILE, root)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        file.write_text(sdk_text(response), encoding="utf-8")
        return response

    def key(self, **options: Any) -> planetkey.Session:  # noqa: ANN401
        """A new session of the simulator's API key."""
        return planetkey.Session.from_api_key(
            self.api_key, deployment=self.deployment, allow_insecure_loopback=True, **options
        )

    def python(self, script: str, *, real_names: bool = False) -> "subprocess.Popen[str]":
        """Starts a Python process that runs a script.

        `from_defaults` finds the simulator, or with `real_names` Planet's own host names lead to
        it. The script can import the modules of these tests.
        """
        environment = self.environment() | {"PYTHONPATH": os.pathsep.join(MODULES)}
        if real_names:
            del (
                environment["PLANETKEY_DEPLOYMENT"],
                environment["PLANETKEY_ALLOW_INSECURE_LOOPBACK"],
            )
            environment |= {
                "HTTPS_PROXY": self.proxy,
                "SSL_CERT_FILE": str(self.ca),
                "REQUESTS_CA_BUNDLE": str(self.ca),
            }
        child = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A group of its own, which can be ended with all that it forks.
            start_new_session=True,
        )
        self._children.append(child)
        return child

    def end_children(self) -> None:
        """Ends the processes that a failed test has left."""
        for child in self._children:
            if child.poll() is None:
                kill(child)
        self._children.clear()


def line(process: "subprocess.Popen[str]") -> str:
    """The next line that a process prints, or an empty string if it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def tell(process: "subprocess.Popen[str]", text: str) -> None:
    """Writes a line to a process."""
    assert process.stdin is not None
    process.stdin.write(text + "\n")
    process.stdin.flush()


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, output and errors of a process. One that does not end is killed."""
    try:
        output, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    return process.returncode, output, errors


def kill(process: "subprocess.Popen[str]") -> None:
    """Ends a process and its children, which have its pipes open too."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """The result or the exception of a call in a thread."""

    value: T | None
    error: BaseException | None


class Together(Generic[T]):
    """The same call in many threads, which start it at the same time."""

    def __init__(self, count: int, call: Callable[[], T]) -> None:
        self._call = call
        self._barrier = Barrier(count + 1)
        self._outcomes: list[Outcome[T]] = []
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()
        self._barrier.wait(30)

    def _run(self) -> None:
        self._barrier.wait(30)
        try:
            self._outcomes.append(Outcome(self._call(), None))
        except BaseException as error:
            self._outcomes.append(Outcome(None, error))

    @property
    def finished(self) -> int:
        """How many calls have returned."""
        return len(self._outcomes)

    def join(self) -> list[Outcome[T]]:
        """Waits for all calls. The test fails if one does not return."""
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads)
        return self._outcomes
