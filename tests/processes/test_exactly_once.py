"""However many processes and threads meet the same expiry, the authorization server sees one request."""

from pathlib import Path

import pytest

from crowd import Crowd, participant
from sessions import KINDS, MachineSession, UserSession, expired_session
from simulator import Simulator

LANGUAGES = ("c", "python", "node", "command")
PROCESSES_EACH = 8
THREADS = 64
REPETITIONS = range(20)
UNAVAILABLE = 6

# No answer may come before every program has asked.
GATE = {"hold": "gate"}
# So long that no program is late enough to ask the server again.
BUSY = {"status": 503, "headers": {"Retry-After": "600"}, "json": {"error": "temporarily_unavailable"}}


def processes(url: str) -> list[list[str | Path]]:
    """Eight programs in each language. Half of them have read the old token before they ask, half have not."""
    return [
        participant(language, url, look=number % 2 == 0) for number in range(PROCESSES_EACH) for language in LANGUAGES
    ]


def ask_at_once(
    simulator: Simulator, session: UserSession | MachineSession, crowd: Crowd
) -> list[tuple[int, list[str]]]:
    """What the programs of the crowd got, who all asked while the first request was on its way."""
    crowd.wait_until_all_say("ready")
    assert simulator.count(session.target) == 0, "opening a session must not use the network"
    crowd.ask()
    simulator.wait_held("gate")
    simulator.release("gate")
    return crowd.answers()


def check_that_it_lives(simulator: Simulator, session: UserSession | MachineSession, header: str) -> None:
    """The header is good, and the session can be renewed once more: what was kept is what the server issued last."""
    session.check(renewals=1)
    assert simulator.get(session.url, header) == 200
    session.open().refresh()
    session.check(renewals=2)
    again = "Authorization: " + session.open().headers(session.url)["Authorization"]
    assert again != header
    assert simulator.get(session.url, again) == 200
    session.check(renewals=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("repetition", REPETITIONS)
def test_f093_thirty_two_processes_in_four_languages_make_one_request(
    simulator: Simulator, home: Path, kind: str, repetition: int
) -> None:
    session = expired_session(kind, simulator, home, repetition)
    simulator.script(session.target, GATE)
    with Crowd(processes(session.url), session.environment) as crowd:
        answers = ask_at_once(simulator, session, crowd)
        header = answers[0][1][0]
        assert header.startswith("Authorization: Bearer ")
        assert answers == [(0, [header])] * len(answers), crowd.errors()
    check_that_it_lives(simulator, session, header)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("repetition", REPETITIONS)
def test_f093_thirty_two_processes_share_one_failure(
    simulator: Simulator, home: Path, kind: str, repetition: int
) -> None:
    session = expired_session(kind, simulator, home, repetition)
    simulator.script(session.target, GATE | BUSY)
    with Crowd(processes(session.url), session.environment) as crowd:
        answers = ask_at_once(simulator, session, crowd)
        failed = {"c": (0, ["UNAVAILABLE"]), "command": (UNAVAILABLE, [])}
        expected = [failed.get(language, failed["c"]) for _ in range(PROCESSES_EACH) for language in LANGUAGES]
        assert answers == expected, crowd.errors()
    assert simulator.count(session.target) == 1
    assert simulator.count(session.target + ".issued") == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["c", "python"])
@pytest.mark.parametrize("repetition", REPETITIONS)
def test_f091_sixty_four_threads_make_one_request(
    simulator: Simulator, home: Path, kind: str, language: str, repetition: int
) -> None:
    """Half of the time all threads use one session, half of the time each has its own."""
    session = expired_session(kind, simulator, home, repetition)
    simulator.script(session.target, GATE)
    line = participant(language, session.url, threads=THREADS, each=repetition % 4 < 2)
    with Crowd([line], session.environment) as crowd:
        ((code, headers),) = ask_at_once(simulator, session, crowd)
        assert code == 0, crowd.errors()
        assert headers[0].startswith("Authorization: Bearer ")
        assert headers == [headers[0]] * THREADS
    check_that_it_lives(simulator, session, headers[0])


@pytest.mark.parametrize("language", ["c", "python"])
@pytest.mark.parametrize("kind", KINDS)
def test_f092_sixty_four_threads_share_one_failure(simulator: Simulator, home: Path, kind: str, language: str) -> None:
    session = expired_session(kind, simulator, home, 0)
    simulator.script(session.target, GATE | BUSY)
    with Crowd([participant(language, session.url, threads=THREADS)], session.environment) as crowd:
        assert ask_at_once(simulator, session, crowd) == [(0, ["UNAVAILABLE"] * THREADS)], crowd.errors()
    assert simulator.count(session.target) == 1
