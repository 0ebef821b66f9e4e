"""Many processes need a token at once: the server gets one request."""

import json
import os
from pathlib import Path

import pytest

from clients import API, Profile, as_built_in, log_in_by_hand
from crowd import Crowd, participant
from server import SECRET, Server

# Half of the processes are the command.
CROWD = [participant(language, API) for language in ("python", "command") for _ in range(4)]


def _headers(environment: dict[str, str]) -> set[str]:
    with Crowd(CROWD, environment) as crowd:
        crowd.wait_until_all_say("ready")
        crowd.ask()
        answers = crowd.answers()
        assert {code for code, _ in answers} == {0}, crowd.errors()
    return {line for _, lines in answers for line in lines}


@pytest.mark.shows("a061", "a068", "f093")
def test_eight_processes_refresh_a_user_session_once(server: Server, home: Path) -> None:
    profile = Profile(server, home)
    tokens = log_in_by_hand(server)
    profile.save(tokens)
    (header,) = _headers(profile.environment())
    saved = profile.saved()
    assert header == f"Authorization: Bearer {saved['access_token']}"
    assert server.is_active(saved["access_token"])
    assert server.token_requests("user", "refresh_token") == [None]
    # The session is active: the saved tokens are the ones that the server issued last.
    profile.open().refresh()
    assert server.token_requests("user", "refresh_token") == [None, None]


@pytest.mark.shows("a068", "f093")
def test_eight_processes_of_an_m2m_client_send_one_request(server: Server, home: Path) -> None:
    document = home / "deployment.json"
    document.write_text(json.dumps(as_built_in(server)))
    variables = {
        "PL_AUTH_CLIENT_ID": "m2m-post",
        "PL_AUTH_CLIENT_SECRET": SECRET,
        "PLANETKEY_DEPLOYMENT": str(document),
        "PLANETKEY_ALLOW_INSECURE_LOOPBACK": "1",
    }
    (header,) = _headers({**os.environ, **variables})
    assert server.is_active(header.removeprefix("Authorization: Bearer "))
    assert server.token_requests("m2m-post", "client_credentials") == [None]
