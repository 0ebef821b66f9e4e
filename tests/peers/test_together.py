"""Planet's SDK and planetkey rotate one session's refresh token at a strict server.

The server revokes the session if it gets a refresh token twice. The SDK takes no lock, so two loops
of it alone lose such a session at their first refresh (`together --alone --strict`). The server
accepts repetitions of the SDK, by its `User-Agent`. It accepts a token of planetkey at most 100 ms
after the SDK's request, because planetkey cannot know of it before the SDK has written its file.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import planetkey
import pytest

from both import HOUR, USER, check_lives, planetkey_asking, put, sdk_header, seed_user, token_file
from simulator import Simulator
from test_refresh import sdk_session
from together import SDK, SDK_OVERLAP_MS, together

ROTATIONS = 5


@pytest.mark.parametrize("metadata_delay_ms", [150, 2500])
def test_i10_01_loops_of_the_sdk_and_eight_processes_share_a_session(
    simulator: Simulator, home: Path, metadata_delay_ms: int
) -> None:
    """Until a few rotations of the refresh token. `tests/peers/together` runs longer."""
    outcome = together(
        simulator,
        home,
        dict(os.environ),
        lambda: simulator.wait_count("user.rotations", ROTATIONS),
        metadata_delay_ms=metadata_delay_ms,
    )
    report = outcome.report()
    assert outcome.session["active"], report
    assert outcome.sent_twice("planetkey") == 0, report
    assert outcome.session["reuse"] == 0, report
    # Both took part. With slow metadata the SDK, which fetches it once, is first most of the time.
    assert outcome.metadata["planetkey"], report
    assert all(told.tokens for _, told in outcome.sdk), report
    assert all(told.tokens and not told.failures for _, told in outcome.planetkey), report


# Where the first request of planetkey waits until the SDK has rotated the token.
MEETINGS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "metadata": ("user.metadata", {"hold": "ours"}),
    "retry": ("user.token", {"hold": "ours", "status": 503, "headers": {"Retry-After": "1"}}),
    "reset": ("user.token", {"hold": "ours", "fault": "reset_after_read"}),
    "page": (
        "user.token",
        {"hold": "ours", "headers": {"Content-Type": "text/html"}, "body": "<html></html>"},
    ),
}


@pytest.mark.parametrize("meeting", MEETINGS)
def test_i10_01_a_refresh_token_that_the_sdk_has_rotated_is_not_sent(
    simulator: Simulator, home: Path, meeting: str
) -> None:
    tokens = seed_user(simulator, home, age=2 * HOUR)
    target, step = MEETINGS[meeting]
    simulator.script(target, step)
    with planetkey_asking() as ours:
        simulator.wait_held("ours")
        refreshed = sdk_header(sdk_session())
        simulator.release("ours")
        assert ours() == refreshed.removeprefix("Bearer ")
    check_lives(simulator, tokens, refreshes=1)


def test_the_server_tolerates_a_repetition_by_the_sdk_and_none_by_planetkey(
    simulator: Simulator, home: Path
) -> None:
    """What the first test rests on."""
    simulator.settings(overlap_by_user_agent={SDK: SDK_OVERLAP_MS})
    tokens = seed_user(simulator, home, age=2 * HOUR)
    for _ in range(2):
        # As before the first refresh.
        put(token_file(home), tokens)
        sdk_header(sdk_session())
    session = simulator.session_of(tokens["refresh_token"])
    assert (session["active"], session["repeats"], session["reuse"]) == (True, 1, 0)
    put(token_file(home), tokens)
    with pytest.raises(planetkey.LoginRequiredError):
        planetkey.Session.from_profile(USER).access_token()
    session = simulator.session_of(tokens["refresh_token"])
    assert (session["active"], session["revoked"], session["reuse"]) == (False, "reuse", 1)
