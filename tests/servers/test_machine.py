"""Machine-to-machine clients: the ways to prove who they are, and what a server says to those who cannot."""

from pathlib import Path

import planetkey
import pytest

from clients import API, KEY_FILES, MACHINE, as_built_in, bearer, deployment, machine, machine_config, options
from server import SECRET, Server

pytestmark = pytest.mark.usefixtures("home")

GRANT = "client_credentials"


@pytest.mark.shows("a003", "a069")
@pytest.mark.shows("a070", at="oidc-provider")
def test_a_secret_by_basic(server: Server) -> None:
    session = machine(server, "machine-basic", token_endpoint_auth_method="client_secret_basic")
    assert server.is_active(bearer(session.headers(API)))
    assert server.token_requests("machine-basic", GRANT) == [None]


@pytest.mark.shows("a003", "a071")
@pytest.mark.shows("a070", at="oidc-provider")
def test_a_secret_in_the_form_as_sentinel_hub_has_it(server: Server) -> None:
    session = machine(server, "machine-post", as_built_in(server))
    assert server.is_active(bearer(session.headers(API)))
    assert server.token_requests("machine-post", GRANT) == [None]


@pytest.mark.shows("a073", "a074")
@pytest.mark.parametrize("client_id", list(KEY_FILES))
@pytest.mark.parametrize("audience", ["token_endpoint", "issuer"])
def test_a_signed_assertion(server: Server, client_id: str, audience: str) -> None:
    session = machine(server, client_id, client_assertion_audience=audience)
    assert server.is_active(session.access_token())
    session.refresh()
    # An assertion is good once, so each request had one of its own.
    assert server.token_requests(client_id, GRANT) == [None, None]


@pytest.mark.shows("a075")
@pytest.mark.parametrize("how", ["client_secret_basic", "client_secret_post"])
def test_a_wrong_secret_is_misconfigured(server: Server, how: str) -> None:
    client_id = "machine-basic" if how == "client_secret_basic" else "machine-post"
    session = machine(server, client_id, client_secret="not-" + SECRET, token_endpoint_auth_method=how)
    for _ in range(3):
        with pytest.raises(planetkey.MisconfiguredError) as refused:
            session.access_token()
        assert refused.value.http_status == 401
        assert not refused.value.retryable
        assert f"does not accept the client {client_id}" in refused.value.message
        assert SECRET not in str(refused.value)
    # It is asked once, however often the program tries.
    assert len(server.token_requests(client_id, GRANT)) == 1


@pytest.mark.shows("a075")
def test_a_key_of_another_client_is_misconfigured(server: Server) -> None:
    other = str(KEY_FILES["machine-rsa"])
    with pytest.raises(planetkey.MisconfiguredError) as refused:
        machine(server, "machine-ec", client_privkey_file=other).access_token()
    assert "does not accept the client machine-ec" in refused.value.message


@pytest.mark.shows("a075")
def test_a_client_that_is_disabled_or_unknown_is_misconfigured(server: Server) -> None:
    for client_id in ("machine-disabled", "nobody"):
        with pytest.raises(planetkey.MisconfiguredError) as refused:
            machine(server, client_id).access_token()
        assert refused.value.oauth_error == "invalid_client"
        assert f"does not accept the client {client_id}" in refused.value.message


@pytest.mark.shows("a058")
def test_a_scope_that_is_not_granted_is_misconfigured(server: Server) -> None:
    # Both know this scope or do not, and neither gives it to this client.
    with pytest.raises(planetkey.MisconfiguredError) as refused:
        machine(server, "machine-basic", scopes=["other"]).access_token()
    assert refused.value.oauth_error == "invalid_scope"
    assert refused.value.http_status == 400


def test_an_audience_that_is_unknown(server: Server) -> None:
    session = machine(server, "machine-basic", deployment(server, MACHINE, audience="https://api.example.com/"))
    if server.name == "Keycloak":
        # It knows no such parameter, and passes over it (RFC 6749 3.2).
        assert server.is_active(session.access_token())
        return
    with pytest.raises(planetkey.MisconfiguredError) as refused:
        session.access_token()
    assert refused.value.oauth_error == "invalid_target"


@pytest.mark.shows("a054", "a099", at="oidc-provider")
def test_a_token_that_is_no_jwt(server: Server) -> None:
    document = deployment(server, MACHINE, audience=None)
    session = machine(server, "machine-basic", document)
    token = session.access_token()
    assert (token.count(".") == 0) == (server.name == "oidc-provider")
    assert server.is_active(token)
    assert session.status().expires_at is not None


@pytest.mark.shows("a096")
def test_a_token_that_was_taken_back_is_replaced_once(server: Server) -> None:
    session = machine(server, "machine-post", deployment(server, MACHINE, audience=None))
    token = bearer(session.headers(API))
    server.revoke(token, {"client_id": "machine-post", "client_secret": SECRET})
    assert not server.is_active(token)
    challenge = 'Bearer realm="api", error="invalid_token"'
    assert session.should_retry(token, 401, challenge)
    second = bearer(session.headers(API))
    assert second != token
    assert server.is_active(second)
    assert server.token_requests("machine-post", GRANT) == [None, None]


@pytest.mark.shows("a068")
def test_one_token_serves_every_session(server: Server, home: Path) -> None:
    document = as_built_in(server)

    def open_session() -> planetkey.Session:
        return planetkey.Session.from_m2m("machine-post", SECRET, **options(document))

    tokens = {open_session().access_token() for _ in range(5)}
    config = machine_config("machine-post")
    assert open_session().access_token() in tokens
    assert len(tokens) == 1
    assert server.token_requests("machine-post", GRANT) == [None]
    file = home / ".planet" / "planet-m2m-machine-post" / "token.json"
    assert file.stat().st_mode & 0o777 == 0o600
    for kept in home.rglob("*"):
        if kept.is_file():
            assert config["client_secret"] not in kept.read_text()
            assert "refresh_token" not in kept.read_text()
