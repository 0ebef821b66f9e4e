"""The same logins in every language:

the examples of the bindings, and a user with a real browser.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Simulator, command
from user import DefaultBrowser, User

REPOSITORY = Path(__file__).parents[2]
BINDINGS = REPOSITORY / "bindings"

PROGRAMS: dict[str, list[str | Path]] = {
    "c": [REPOSITORY / "build" / "browser" / "login_c"],
    "cpp": [REPOSITORY / "build" / "browser" / "login_cpp"],
    "python": [sys.executable, BINDINGS / "python" / "examples" / "log_in.py"],
    "node": ["node", BINDINGS / "node" / "examples" / "log_in.mjs"],
}


class Program:
    """An example program that logs a user in."""

    def __init__(self, language: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [*PROGRAMS[language], *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout

    def find(self, pattern: str) -> str:
        """The first group of the first matching line."""
        for line in self._output:
            if found := re.search(pattern, line):
                return found.group(1)
        raise AssertionError(f"{pattern} never came")

    def ended(self) -> tuple[bool, str]:
        """Whether the program succeeded, and its last line of output."""
        *_, last = self._output.read().splitlines()
        return self._process.wait(60) == 0, last

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(60)
        self._output.close()


def token_works(simulator: Simulator) -> bool:
    """Whether an API accepts the saved token."""
    token = subprocess.run(
        [command(), "print-access-token"], capture_output=True, text=True, check=True
    ).stdout
    return (
        simulator.get(simulator.planet_api + "/data/v1", f"Authorization: Bearer {token.strip()}")
        == 200
    )


@pytest.fixture(params=sorted(PROGRAMS))
def language(request: pytest.FixtureRequest, home: Path) -> str:
    return request.param


@pytest.fixture
def programs(language: str) -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.stop()


def start(programs: list[Program], language: str, *arguments: str) -> Program:
    programs.append(Program(language, *arguments))
    return programs[-1]


def test_a_user_logs_in_through_the_browser(
    simulator: Simulator,
    language: str,
    programs: list[Program],
    default_browser: DefaultBrowser,
    ada: User,
) -> None:
    program = start(programs, language, "browser")
    ada.logs_in(default_browser.opened())
    ada.allows()
    ada.sees("You are logged in")
    assert program.ended() == (True, f"logged in as {ada.subject}")
    assert token_works(simulator)


def test_f129_a_denial_is_denied(
    language: str, programs: list[Program], default_browser: DefaultBrowser, ada: User
) -> None:
    program = start(programs, language, "browser")
    ada.logs_in(default_browser.opened())
    ada.denies()
    ada.sees("Not logged in")
    well, last = program.ended()
    assert not well
    assert last.startswith("DENIED: ")


def test_a_code_is_entered_in_the_browser(
    simulator: Simulator, language: str, programs: list[Program], ada: User
) -> None:
    program = start(programs, language, "device")
    url = program.find(r"^    (http://\S+)$")
    ada.confirms_code(url, program.find(r"shows the code ([A-Z-]+)"))
    ada.allows()
    assert program.ended() == (True, f"logged in as {ada.subject}")
    assert token_works(simulator)
