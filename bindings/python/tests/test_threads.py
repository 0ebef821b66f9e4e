"""One session in many threads: one request, one failure, and no wait with a valid token."""

import planetkey
from planet_simulator import Simulator, Together

THREADS = 32


def test_the_first_use_sends_one_request(simulator: Simulator) -> None:
    session = simulator.m2m()
    simulator.script("m2m.token", {"hold": "gate"})
    callers = Together(THREADS, session.access_token)
    simulator.wait_held("gate")
    assert callers.finished == 0
    simulator.release("gate")
    tokens = {outcome.value for outcome in callers.join()}
    assert tokens == {session.access_token()}
    assert simulator.count("m2m.token") == 1


def test_an_expiry_causes_one_request(simulator: Simulator) -> None:
    session = simulator.m2m()
    simulator.script("m2m.token", {"token_response": {"expires_in": 2}}, {"hold": "gate"})
    expired = session.access_token()
    # Wait until the token expires. status() does not refresh it.
    while session.status().sources[0].token_cached:
        pass
    assert simulator.count("m2m.token") == 1
    callers = Together(THREADS, session.access_token)
    simulator.wait_held("gate")
    assert callers.finished == 0
    simulator.release("gate")
    tokens = {outcome.value for outcome in callers.join()}
    assert tokens == {session.access_token()}
    assert expired not in tokens
    assert simulator.count("m2m.token") == 2


def test_a_rejected_token_is_replaced_once(simulator: Simulator) -> None:
    session = simulator.m2m()
    url = simulator.sentinel_hub_api + "/api"
    authorization = session.authorize(url)
    rejected = session.access_token()

    def retry() -> dict[str, str]:
        repeat = session.after_response(authorization, 401, 'Bearer error="invalid_token"')
        assert repeat is not None
        return repeat.headers

    simulator.script("m2m.token", {"hold": "gate"})
    callers = Together(THREADS, retry)
    simulator.wait_held("gate")
    simulator.release("gate")
    outcomes = callers.join()
    assert [outcome.error for outcome in outcomes] == [None] * THREADS
    fresh = {"Authorization": f"Bearer {session.access_token()}"}
    assert all(outcome.value == fresh for outcome in outcomes)
    assert rejected not in fresh["Authorization"]
    assert simulator.count("m2m.token") == 2


def test_a_failure_is_shared(simulator: Simulator) -> None:
    session = simulator.m2m()
    simulator.script(
        "m2m.token",
        {
            "hold": "gate",
            "status": 401,
            "json": {"error": "invalid_client", "error_description": "only once"},
        },
    )
    callers = Together(THREADS, session.access_token)
    simulator.wait_held("gate")
    assert callers.finished == 0
    simulator.release("gate")
    errors = [outcome.error for outcome in callers.join()]
    assert len(errors) == THREADS
    for error in errors:
        assert isinstance(error, planetkey.MisconfiguredError)
        assert error.oauth_error_description == "only once"
    # Each thread has an exception of its own: they hold different tracebacks.
    assert len({id(error) for error in errors}) == THREADS
    assert simulator.count("m2m.token") == 1


def test_no_thread_with_a_valid_token_waits(simulator: Simulator) -> None:
    session = simulator.m2m()
    url = simulator.sentinel_hub_api + "/api"
    valid = session.access_token()
    simulator.script("m2m.token", {"hold": "gate"})
    refresh = Together(1, session.refresh)
    simulator.wait_held("gate")
    callers = Together(THREADS, lambda: (session.access_token(), session.headers(url)))
    outcomes = callers.join()
    # All have returned, while the one refresh still waits for the server.
    assert refresh.finished == 0
    assert all(
        outcome.value == (valid, {"Authorization": f"Bearer {valid}"}) for outcome in outcomes
    )
    simulator.release("gate")
    assert refresh.join()[0].error is None
    assert session.access_token() != valid
    assert simulator.count("m2m.token") == 2


def test_readers_get_consistent_tokens_while_they_change(simulator: Simulator) -> None:
    session = simulator.m2m()
    url = simulator.sentinel_hub_api + "/api"
    session.access_token()

    def read() -> set[str]:
        seen = {session.headers(url)["Authorization"].removeprefix("Bearer ") for _ in range(2000)}
        return seen | {session.access_token() for _ in range(2000)}

    readers = Together(8, read)
    for _ in range(10):
        session.refresh()
    issued = set()
    for outcome in readers.join():
        assert outcome.value is not None
        issued |= outcome.value
    # All are whole tokens, and not more of them than were issued.
    assert all(token.count(".") == 2 for token in issued)
    assert len(issued) <= simulator.count("m2m.token") == 11
