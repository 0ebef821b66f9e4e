"""The server gets one request, however many processes and threads need a token at once."""

from pathlib import Path

import pytest

from crowd import Crowd, participant
from sessions import KINDS, M2mSession, UserSession, expired_session
from simulator import Simulator

LANGUAGES = ("c", "python", "node", "command")
PROCESSES_EACH = 8
THREADS = 64
REPETITIONS = range(20)
UNAVAILABLE = 6

# No response may come before every program has started its request.
GATE = {"hold": "gate"}
# So long that no program is late enough to send another request.
BUSY = {
    "status": 503,
    "headers": {"Retry-After": "600"},
    "json": {"error": "temporarily_unavailable"},
}


def processes(url: str) -> list[list[str | Path]]:
    """Eight programs in each language.

    Half of them read the old token before they start, half do not.
    """
    return [
        participant(language, url, look=number % 2 == 0)
        for number in range(PROCESSES_EACH)
        for language in LANGUAGES
    ]


def ask_at_once(
    simulator: Simulator, session: UserSession | M2mSession, crowd: Crowd
) -> list[tuple[int, list[str]]]:
    """The results of the programs, which all started while the first request was in progress."""
    crowd.wait_until_all_say("ready")
    assert simulator.count(session.target) == 0, "opening a session must not use the network"
    crowd.ask()
    simulator.wait_held("gate")
    simulator.release("gate")
    return crowd.answers()


def check_that_it_works(
    simulator: Simulator, session: UserSession | M2mSession, header: str
) -> None:
    """The header is valid, and the session can be refreshed again:

    the saved tokens are the last issued ones.
    """
    session.check(refreshes=1)
    assert simulator.get(session.url, header) == 200
    session.open().refresh()
    session.check(refreshes=2)
    again = "Authorization: " + session.open().headers(session.url)["Authorization"]
    assert again != header
    assert simulator.get(session.url, again) == 200
    session.check(refreshes=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("repetition", REPETITIONS)
def test_f093_thirty_two_processes_in_four_languages_send_one_request(
    simulator: Simulator, home: Path, kind: str, repetition: int
) -> None:
    session = expired_session(kind, simulator, home, repetition)
    simulator.script(session.target, GATE)
    with Crowd(processes(session.url), session.environment) as crowd:
        answers = ask_at_once(simulator, session, crowd)
        header = answers[0][1][0]
        assert header.startswith("Authorization: Bearer ")
        assert answers == [(0, [header])] * len(answers), crowd.errors()
    check_that_it_works(simulator, session, header)


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
        expected = [
            failed.get(language, failed["c"])
            for _ in range(PROCESSES_EACH)
            for language in LANGUAGES
        ]
        assert answers == expected, crowd.errors()
    assert simulator.count(session.target) == 1
    assert simulator.count(session.target + ".issued") == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["c", "python"])
@pytest.mark.parametrize("repetition", REPETITIONS)
def test_f091_sixty_four_threads_send_one_request(
    simulator: Simulator, home: Path, kind: str, language: str, repetition: int
) -> None:
    """In half of the runs all threads use one session, in the others each thread has its own."""
    session = expired_session(kind, simulator, home, repetition)
    simulator.script(session.target, GATE)
    line = participant(language, session.url, threads=THREADS, each=repetition % 4 < 2)
    with Crowd([line], session.environment) as crowd:
        ((code, headers),) = ask_at_once(simulator, session, crowd)
        assert code == 0, crowd.errors()
        assert headers[0].startswith("Authorization: Bearer ")
        assert headers == [headers[0]] * THREADS
    check_that_it_works(simulator, session, headers[0])


@pytest.mark.parametrize("language", ["c", "python"])
@pytest.mark.parametrize("kind", KINDS)
def test_f092_sixty_four_threads_share_one_failure(
    simulator: Simulator, home: Path, kind: str, language: str
) -> None:
    session = expired_session(kind, simulator, home, 0)
    simulator.script(session.target, GATE | BUSY)
    with Crowd([participant(language, session.url, threads=THREADS)], session.environment) as crowd:
        assert ask_at_once(simulator, session, crowd) == [(0, ["UNAVAILABLE"] * THREADS)], (
            crowd.errors()
        )
    assert simulator.count(session.target) == 1
