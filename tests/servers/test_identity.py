"""Userinfo, introspection, logout."""

from pathlib import Path

import planetkey
import pytest

from clients import M2M, Profile, deployment, log_in_by_hand, m2m_session
from server import Server


def _logged_in(server: Server, home: Path) -> Profile:
    # At oidc-provider a token for an API is not valid for userinfo.
    profile = Profile(server, home, audience=False)
    profile.save(log_in_by_hand(server, audience=False), expired=False)
    return profile


@pytest.mark.shows("a103", "a109")
def test_userinfo_and_id_token(server: Server, home: Path) -> None:
    session = _logged_in(server, home).open()
    claims = session.id_token_claims()
    assert claims["iss"] == server.issuer
    assert "user" in claims["aud"]
    userinfo = session.userinfo()
    assert userinfo["sub"] == claims["sub"]
    assert (userinfo["name"], userinfo["email"]) == ("A User", "user@example.com")


@pytest.mark.shows("a096", at="Keycloak")
def test_userinfo_with_a_revoked_token(server: Server, home: Path) -> None:
    profile = _logged_in(server, home)
    session = profile.open()
    token = session.access_token()
    server.revoke(token, {"client_id": "user", "token_type_hint": "access_token"})
    if server.name == "Keycloak":
        assert session.userinfo()["name"] == "A User"
        assert session.access_token() != token
    else:
        # The server also revokes the refresh token, as RFC 7009 2.1 allows.
        with pytest.raises(planetkey.LoginRequiredError) as refused:
            session.userinfo()
        assert refused.value.reason == "revoked"
    assert len(server.token_requests("user", "refresh_token")) == 1


@pytest.mark.shows("a115")
def test_introspection(server: Server, home: Path) -> None:
    session = m2m_session(server, "m2m-post", deployment(server, M2M, audience=None))
    assert session.introspect()["active"] is True
    assert session.introspect("made-up") == {"active": False}
    # An M2M client may introspect a user's token.
    user = _logged_in(server, home).open()
    token = user.access_token()
    assert session.introspect(token)["active"] is True
    server.revoke(token, {"client_id": "user"})
    assert session.introspect(token)["active"] is False


@pytest.mark.shows("a110", "a111", "a114")
def test_a_logout_revokes_the_refresh_token(server: Server, home: Path) -> None:
    profile = _logged_in(server, home)
    session, other = profile.open(), profile.open()
    other.access_token()
    refresh_token = profile.saved()["refresh_token"]
    assert server.is_active(refresh_token)
    logged_out = session.logout()
    assert (logged_out.removed, logged_out.revocation) == (True, "revoked")
    assert not server.is_active(refresh_token)
    assert not profile.file.exists()
    with pytest.raises(planetkey.LoginRequiredError) as refused:
        session.access_token()
    assert refused.value.reason == "logged_out"
    # Restoring the file does not restore the session.
    profile.save({"refresh_token": refresh_token, "token_type": "Bearer"})
    with pytest.raises(planetkey.LoginRequiredError):
        profile.open().access_token()


@pytest.mark.shows("a111")
def test_a_logout_of_a_session_that_the_server_ended(server: Server, home: Path) -> None:
    profile = _logged_in(server, home)
    session = profile.open()
    server.revoke(profile.saved()["refresh_token"], {"client_id": "user"})
    logged_out = session.logout()
    assert (logged_out.removed, logged_out.revocation) == (True, "revoked")


def test_a_logout_without_revocation(server: Server, home: Path) -> None:
    profile = _logged_in(server, home)
    refresh_token = profile.saved()["refresh_token"]
    logged_out = profile.open().logout(revoke=False)
    assert (logged_out.removed, logged_out.revocation) == (True, "none")
    assert server.is_active(refresh_token)
