"""Who is logged in, what a token is worth, and the end of a session."""

from pathlib import Path

import planetkey
import pytest

from clients import MACHINE, Profile, deployment, log_in_by_hand, machine
from server import Server


def _logged_in(server: Server, home: Path) -> Profile:
    # At oidc-provider a token for an API does not open userinfo.
    profile = Profile(server, home, audience=False)
    profile.save(log_in_by_hand(server, audience=False), expired=False)
    return profile


@pytest.mark.shows("a103", "a109")
def test_who_is_logged_in(server: Server, home: Path) -> None:
    session = _logged_in(server, home).open()
    claims = session.id_token_claims()
    assert claims["iss"] == server.issuer
    assert "person" in claims["aud"]
    userinfo = session.userinfo()
    assert userinfo["sub"] == claims["sub"]
    assert (userinfo["name"], userinfo["email"]) == ("A Person", "person@example.com")


@pytest.mark.shows("a096", at="Keycloak")
def test_userinfo_with_a_token_that_was_taken_back(server: Server, home: Path) -> None:
    profile = _logged_in(server, home)
    session = profile.open()
    token = session.access_token()
    server.revoke(token, {"client_id": "person", "token_type_hint": "access_token"})
    if server.name == "Keycloak":
        assert session.userinfo()["name"] == "A Person"
        assert session.access_token() != token
    else:
        # It takes the refresh token back with it, as a server may (RFC 7009 2.1).
        with pytest.raises(planetkey.LoginRequiredError) as refused:
            session.userinfo()
        assert refused.value.reason == "revoked"
    assert len(server.token_requests("person", "refresh_token")) == 1


@pytest.mark.shows("a115")
def test_introspection(server: Server, home: Path) -> None:
    session = machine(server, "machine-post", deployment(server, MACHINE, audience=None))
    assert session.introspect()["active"] is True
    assert session.introspect("made-up") == {"active": False}
    # A machine may ask about the token of a person.
    person = _logged_in(server, home).open()
    token = person.access_token()
    assert session.introspect(token)["active"] is True
    server.revoke(token, {"client_id": "person"})
    assert session.introspect(token)["active"] is False


@pytest.mark.shows("a110", "a111", "a114")
def test_a_logout_gives_the_refresh_token_back(server: Server, home: Path) -> None:
    profile = _logged_in(server, home)
    session, other = profile.open(), profile.open()
    other.access_token()
    refresh_token = profile.kept()["refresh_token"]
    assert server.is_active(refresh_token)
    logged_out = session.logout()
    assert (logged_out.removed, logged_out.revocation) == (True, "revoked")
    assert not server.is_active(refresh_token)
    assert not profile.file.exists()
    with pytest.raises(planetkey.LoginRequiredError) as refused:
        session.access_token()
    assert refused.value.reason == "logged_out"
    # Put back by hand it is worth nothing.
    profile.save({"refresh_token": refresh_token, "token_type": "Bearer"})
    with pytest.raises(planetkey.LoginRequiredError):
        profile.open().access_token()


@pytest.mark.shows("a111")
def test_a_logout_of_a_session_that_the_server_has_ended(server: Server, home: Path) -> None:
    profile = _logged_in(server, home)
    session = profile.open()
    server.revoke(profile.kept()["refresh_token"], {"client_id": "person"})
    logged_out = session.logout()
    assert (logged_out.removed, logged_out.revocation) == (True, "revoked")


def test_a_logout_that_keeps_the_servers_side(server: Server, home: Path) -> None:
    profile = _logged_in(server, home)
    refresh_token = profile.kept()["refresh_token"]
    logged_out = profile.open().logout(revoke=False)
    assert (logged_out.removed, logged_out.revocation) == (True, "none")
    assert server.is_active(refresh_token)
