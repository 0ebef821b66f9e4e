"""M2M clients: client authentication and its errors."""

from pathlib import Path

import planetkey
import pytest

from clients import (
    API,
    KEY_FILES,
    M2M,
    as_built_in,
    bearer,
    deployment,
    m2m_config,
    m2m_session,
    options,
)
from server import SECRET, Server

pytestmark = pytest.mark.usefixtures("home")

GRANT = "client_credentials"


@pytest.mark.shows("a003", "a069")
@pytest.mark.shows("a070", at="oidc-provider")
def test_client_secret_basic(server: Server) -> None:
    session = m2m_session(server, "m2m-basic", token_endpoint_auth_method="client_secret_basic")
    assert server.is_active(bearer(session.headers(API)))
    assert server.token_requests("m2m-basic", GRANT) == [None]


@pytest.mark.shows("a003", "a071")
@pytest.mark.shows("a070", at="oidc-provider")
def test_client_secret_post_as_at_sentinel_hub(server: Server) -> None:
    session = m2m_session(server, "m2m-post", as_built_in(server))
    assert server.is_active(bearer(session.headers(API)))
    assert server.token_requests("m2m-post", GRANT) == [None]


@pytest.mark.shows("a073", "a074")
@pytest.mark.parametrize("client_id", list(KEY_FILES))
@pytest.mark.parametrize("audience", ["token_endpoint", "issuer"])
def test_private_key_jwt(server: Server, client_id: str, audience: str) -> None:
    session = m2m_session(server, client_id, client_assertion_audience=audience)
    assert server.is_active(session.access_token())
    session.refresh()
    # An assertion is valid once, so each request sent a new one.
    assert server.token_requests(client_id, GRANT) == [None, None]


@pytest.mark.shows("a075")
@pytest.mark.parametrize("how", ["client_secret_basic", "client_secret_post"])
def test_a_wrong_secret_is_misconfigured(server: Server, how: str) -> None:
    client_id = "m2m-basic" if how == "client_secret_basic" else "m2m-post"
    session = m2m_session(
        server, client_id, client_secret="not-" + SECRET, token_endpoint_auth_method=how
    )
    for _ in range(3):
        with pytest.raises(planetkey.MisconfiguredError) as refused:
            session.access_token()
        assert refused.value.http_status == 401
        assert not refused.value.retryable
        assert f"does not accept the client {client_id}" in refused.value.message
        assert SECRET not in str(refused.value)
    # The server gets one request, however often the program tries.
    assert len(server.token_requests(client_id, GRANT)) == 1


@pytest.mark.shows("a075")
def test_a_key_of_another_client_is_misconfigured(server: Server) -> None:
    other = str(KEY_FILES["m2m-rsa"])
    with pytest.raises(planetkey.MisconfiguredError) as refused:
        m2m_session(server, "m2m-ec", client_privkey_file=other).access_token()
    assert "does not accept the client m2m-ec" in refused.value.message


@pytest.mark.shows("a075")
def test_a_disabled_or_unknown_client_is_misconfigured(server: Server) -> None:
    for client_id in ("m2m-disabled", "unknown"):
        with pytest.raises(planetkey.MisconfiguredError) as refused:
            m2m_session(server, client_id).access_token()
        assert refused.value.oauth_error == "invalid_client"
        assert f"does not accept the client {client_id}" in refused.value.message


@pytest.mark.shows("a058")
def test_a_scope_that_is_not_granted_is_misconfigured(server: Server) -> None:
    # Neither server grants this scope to this client.
    with pytest.raises(planetkey.MisconfiguredError) as refused:
        m2m_session(server, "m2m-basic", scopes=["other"]).access_token()
    assert refused.value.oauth_error == "invalid_scope"
    assert refused.value.http_status == 400


def test_an_unknown_audience(server: Server) -> None:
    session = m2m_session(
        server, "m2m-basic", deployment(server, M2M, audience="https://api.example.com/")
    )
    if server.name == "Keycloak":
        # The server ignores the unknown parameter (RFC 6749 3.2).
        assert server.is_active(session.access_token())
        return
    with pytest.raises(planetkey.MisconfiguredError) as refused:
        session.access_token()
    assert refused.value.oauth_error == "invalid_target"


@pytest.mark.shows("a054", "a099", at="oidc-provider")
def test_an_opaque_token(server: Server) -> None:
    document = deployment(server, M2M, audience=None)
    session = m2m_session(server, "m2m-basic", document)
    token = session.access_token()
    assert (token.count(".") == 0) == (server.name == "oidc-provider")
    assert server.is_active(token)
    assert session.status().expires_at is not None


@pytest.mark.shows("a096")
def test_a_revoked_token_is_replaced_once(server: Server) -> None:
    session = m2m_session(server, "m2m-post", deployment(server, M2M, audience=None))
    authorization = session.authorize(API)
    token = bearer(authorization.headers)
    server.revoke(token, {"client_id": "m2m-post", "client_secret": SECRET})
    assert not server.is_active(token)
    challenge = 'Bearer realm="api", error="invalid_token"'
    repeat = session.after_response(authorization, 401, challenge)
    assert repeat is not None
    second = bearer(session.headers(API))
    assert bearer(repeat.headers) == second
    assert second != token
    assert server.is_active(second)
    assert server.token_requests("m2m-post", GRANT) == [None, None]


@pytest.mark.shows("a068")
def test_sessions_share_one_token(server: Server, home: Path) -> None:
    document = as_built_in(server)

    def open_session() -> planetkey.Session:
        return planetkey.Session.from_m2m("m2m-post", SECRET, **options(document))

    tokens = {open_session().access_token() for _ in range(5)}
    config = m2m_config("m2m-post")
    assert open_session().access_token() in tokens
    assert len(tokens) == 1
    assert server.token_requests("m2m-post", GRANT) == [None]
    file = home / ".planet" / "planet-m2m-m2m-post" / "token.json"
    assert file.stat().st_mode & 0o777 == 0o600
    for saved in home.rglob("*"):
        if saved.is_file():
            assert config["client_secret"] not in saved.read_text()
            assert "refresh_token" not in saved.read_text()
