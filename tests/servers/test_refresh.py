"""User sessions whose refresh tokens are valid once."""

import shutil
from pathlib import Path

import planetkey
import pytest

from clients import API, Profile, bearer, log_in_by_hand
from server import Server

GRANT = "refresh_token"


@pytest.mark.shows("a061", "a072", "f094")
def test_a_refresh_replaces_the_refresh_token_for_all_processes(server: Server, home: Path) -> None:
    profile = Profile(server, home)
    first = log_in_by_hand(server)
    profile.save(first)

    token = profile.open().access_token()
    saved = profile.saved()
    assert saved["access_token"] == token != first["access_token"]
    assert saved["refresh_token"] != first["refresh_token"]
    assert server.is_active(token)

    # Another process, in another language, uses the same token without a request.
    assert profile.run("print-access-token") == token
    assert profile.run("header", API) == f"Authorization: Bearer {token}"
    assert server.token_requests("user", GRANT) == [None]


@pytest.mark.shows("a061")
def test_every_refresh_sends_the_newest_refresh_token(server: Server, home: Path) -> None:
    profile = Profile(server, home)
    profile.save(log_in_by_hand(server))
    session = profile.open()
    tokens = [session.access_token()]
    for _ in range(4):
        session.refresh()
        tokens.append(session.access_token())
    # The command refreshes too, and the session notices.
    profile.run("refresh")
    assert len(set(tokens)) == 5
    assert server.token_requests("user", GRANT) == [None] * 6
    assert server.is_active(profile.saved()["access_token"])


@pytest.mark.shows("a065", "a066")
def test_a_reused_refresh_token_ends_the_session(server: Server, home: Path) -> None:
    profile = Profile(server, home)
    tokens = log_in_by_hand(server)
    profile.save(tokens)
    profile.open().refresh()
    # A backup is restored, without planetkey's own file beside it.
    shutil.rmtree(profile.directory)
    profile = Profile(server, home)
    profile.save(tokens)

    for _ in range(3):
        with pytest.raises(planetkey.LoginRequiredError) as refused:
            profile.open().access_token()
        assert refused.value.reason == "revoked"
        assert refused.value.profile == profile.name
        assert profile.name in refused.value.message
        assert tokens["refresh_token"] not in str(refused.value)
    assert len(server.token_requests("user", GRANT)) == 2


@pytest.mark.shows("a065", "a066")
def test_a_session_that_the_server_ended(server: Server, home: Path) -> None:
    profile = Profile(server, home)
    tokens = log_in_by_hand(server)
    profile.save(tokens, expired=False)
    session = profile.open()
    authorization = session.authorize(API)
    assert authorization.access_token == tokens["access_token"]
    server.revoke(
        tokens["refresh_token"], {"client_id": "user", "token_type_hint": "refresh_token"}
    )

    with pytest.raises(planetkey.LoginRequiredError) as refused:
        session.after_response(authorization, 401, 'Bearer error="invalid_token"')
    assert refused.value.reason == "revoked"
    for _ in range(3):
        with pytest.raises(planetkey.LoginRequiredError) as refused:
            session.headers(API)
        assert refused.value.reason == "revoked"
    # Another process uses the access token until an API refuses it, and does not send the revoked
    # refresh token again.
    other = profile.open()
    assert bearer(other.headers(API)) == tokens["access_token"]
    other.invalidate(tokens["access_token"])
    with pytest.raises(planetkey.LoginRequiredError):
        other.headers(API)
    assert len(server.token_requests("user", GRANT)) == 1


def test_unknown_members_are_preserved(server: Server, home: Path) -> None:
    profile = Profile(server, home)
    tokens = log_in_by_hand(server)
    profile.save(tokens)
    profile.open().access_token()
    # The SDK reads these members: ID token, scope, and Keycloak's session state.
    assert profile.saved().keys() >= tokens.keys()
