"""Discovery: a client with only the issuer gets the rest from the metadata."""

from pathlib import Path

import planetkey
import pytest

from clients import M2M, as_built_in, deployment, m2m_session
from server import Server

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.shows("a012")
# Keycloak's issuer has a path.
@pytest.mark.shows("a011", at="Keycloak")
def test_the_issuer_is_enough(server: Server) -> None:
    session = m2m_session(server, "m2m-basic")
    assert server.is_active(session.access_token())
    status = session.status()
    assert status.issuer == server.issuer == server.metadata()["issuer"]


@pytest.mark.shows("a012")
def test_an_issuer_with_or_without_a_slash_is_another_issuer(server: Server) -> None:
    other = server.issuer.removesuffix("/") if server.issuer.endswith("/") else server.issuer + "/"
    document = {**deployment(server, M2M)}
    document["authorization_servers"] = [{"subject": M2M, "issuer": other}]
    with pytest.raises(planetkey.ProtocolError) as refused:
        m2m_session(server, "m2m-basic", document).access_token()
    assert refused.value.reason == "issuer_mismatch"
    # The message names the right issuer.
    assert f"'{server.issuer}'" in refused.value.message
    assert server.token_requests("m2m-basic", "client_credentials") == []


@pytest.mark.shows("a012")
def test_an_unknown_issuer_is_misconfigured(server: Server) -> None:
    # At Keycloak this is a realm that does not exist.
    document = deployment(server, M2M, issuer=server.issuer + "unknown")
    with pytest.raises(planetkey.MisconfiguredError) as refused:
        m2m_session(server, "m2m-basic", document).access_token()
    assert "publishes no metadata" in refused.value.message


@pytest.mark.shows("a015")
def test_a_configured_endpoint_needs_no_metadata(server: Server) -> None:
    document = as_built_in(server)
    document["authorization_servers"][0]["issuer"] = server.issuer + "/unknown"
    session = m2m_session(server, "m2m-post", document)
    assert server.is_active(session.access_token())


@pytest.mark.shows("a001")
def test_http_needs_the_option(server: Server, home: Path) -> None:
    config = {
        "client_type": "oidc_client_credentials_secret",
        "client_id": "m2m-basic",
        "client_secret": "x",
    }
    with pytest.raises(planetkey.MisconfiguredError):
        planetkey.Session.from_client_config(
            config, deployment=deployment(server, M2M), storage_root=home
        )
