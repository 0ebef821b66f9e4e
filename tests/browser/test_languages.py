"""The same logins from C, Python and Node: programs of a few lines, and a person in a real browser."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from person import DefaultBrowser, Person
from simulator import Simulator

REPOSITORY = Path(__file__).parents[2]

PYTHON = """
import json, sys, planetkey
session = planetkey.Session.from_profile("planet-user", allow_insecure_loopback=True)
try:
    who = session.login(method=sys.argv[1], prompt=lambda prompt: print(prompt.user_code, prompt.url, flush=True))
    print(json.dumps({"subject": who.subject, "token": session.access_token()}), flush=True)
except planetkey.Error as error:
    print(json.dumps({"error": error.code}), flush=True)
"""
NODE = """
const { Session } = await import(process.argv[1]);
const session = Session.fromProfile('planet-user', { allowInsecureLoopback: true });
try {
  const prompt = ({ userCode, url }) => console.log(userCode, url);
  const who = await session.login({ method: process.argv[2], prompt });
  console.log(JSON.stringify({ subject: who.subject, token: await session.accessToken() }));
} catch (error) {
  console.log(JSON.stringify({ error: error.code }));
}
"""
PROGRAMS = {
    "c": [str(REPOSITORY / "build" / "browser" / "login")],
    "python": [sys.executable, "-c", PYTHON],
    "node": ["node", "--input-type=module", "-e", NODE, str(REPOSITORY / "bindings" / "node" / "index.mjs")],
}


class Program:
    """A program that logs somebody in."""

    def __init__(self, language: str, method: str) -> None:
        self._process = subprocess.Popen([*PROGRAMS[language], method], stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def ended(self) -> dict[str, str]:
        """What it says in the end, by itself."""
        last = json.loads(self.line())
        assert self._process.wait(60) == 0
        return last

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(params=sorted(PROGRAMS))
def language(request: pytest.FixtureRequest, home: Path) -> str:
    return request.param


@pytest.fixture
def programs(language: str) -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.stop()


def start(programs: list[Program], language: str, method: str) -> Program:
    programs.append(Program(language, method))
    return programs[-1]


def test_a_person_logs_in_through_the_browser(
    simulator: Simulator, language: str, programs: list[Program], default_browser: DefaultBrowser, ada: Person
) -> None:
    program = start(programs, language, "browser")
    ada.logs_in(default_browser.opened())
    ada.allows()
    ada.sees("You are logged in")
    program.line()
    last = program.ended()
    assert last["subject"] == ada.subject
    assert simulator.get(simulator.planet_api + "/data/v1", f"Authorization: Bearer {last['token']}") == 200


def test_f129_a_denial_is_denied(
    language: str, programs: list[Program], default_browser: DefaultBrowser, ada: Person
) -> None:
    program = start(programs, language, "browser")
    ada.logs_in(default_browser.opened())
    ada.denies()
    ada.sees("Not logged in")
    program.line()
    assert program.ended() == {"error": "DENIED"}


def test_a_code_is_entered_in_the_browser(
    simulator: Simulator, language: str, programs: list[Program], default_browser: DefaultBrowser, ada: Person
) -> None:
    program = start(programs, language, "device")
    code, url = program.line().split()
    ada.confirms_code(url, code)
    ada.allows()
    last = program.ended()
    assert last["subject"] == ada.subject
    assert simulator.get(simulator.planet_api + "/data/v1", f"Authorization: Bearer {last['token']}") == 200
