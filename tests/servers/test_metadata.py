"""A client that knows its server by the issuer, and asks the server for the rest."""

from pathlib import Path

import planetkey
import pytest

from clients import MACHINE, as_built_in, deployment, machine
from server import Server

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.shows("a012")
# Its issuer has a path.
@pytest.mark.shows("a011", at="Keycloak")
def test_the_issuer_is_enough(server: Server) -> None:
    session = machine(server, "machine-basic")
    assert server.is_active(session.access_token())
    status = session.status()
    assert status.issuer == server.issuer == server.metadata()["issuer"]


@pytest.mark.shows("a012")
def test_a_slash_more_or_less_is_another_issuer(server: Server) -> None:
    other = server.issuer.removesuffix("/") if server.issuer.endswith("/") else server.issuer + "/"
    document = {**deployment(server, MACHINE)}
    document["authorization_servers"] = [{"subject": MACHINE, "issuer": other}]
    with pytest.raises(planetkey.ProtocolError) as refused:
        machine(server, "machine-basic", document).access_token()
    assert refused.value.reason == "issuer_mismatch"
    # The message gives the name that would be right.
    assert f"'{server.issuer}'" in refused.value.message
    assert server.token_requests("machine-basic", "client_credentials") == []


@pytest.mark.shows("a012")
def test_an_issuer_that_is_none_is_misconfigured(server: Server) -> None:
    # At Keycloak a realm that is not there.
    document = deployment(server, MACHINE, issuer=server.issuer + "nobody")
    with pytest.raises(planetkey.MisconfiguredError) as refused:
        machine(server, "machine-basic", document).access_token()
    assert "publishes no metadata" in refused.value.message


@pytest.mark.shows("a015")
def test_an_endpoint_that_is_configured_needs_no_metadata(server: Server) -> None:
    document = as_built_in(server)
    document["authorization_servers"][0]["issuer"] = server.issuer + "/nobody"
    session = machine(server, "machine-post", document)
    assert server.is_active(session.access_token())


@pytest.mark.shows("a001")
def test_http_needs_the_option(server: Server, home: Path) -> None:
    config = {"client_type": "oidc_client_credentials_secret", "client_id": "machine-basic", "client_secret": "x"}
    with pytest.raises(planetkey.MisconfiguredError):
        planetkey.Session.from_client_config(config, deployment=deployment(server, MACHINE), storage_root=home)
