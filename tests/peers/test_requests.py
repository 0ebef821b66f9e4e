"""A session as the `auth` of `requests`, and as the `request_modifier` of `pystac-client`."""

import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import planetkey
import pystac_client
import pytest
import requests
from pystac_client.stac_api_io import StacApiIO
from requests.adapters import HTTPAdapter

from loopback import CHALLENGE, NO_TOKEN, Loopback

BODY = b"x" * 5000


def credential(response: requests.Response) -> str:
    response.raise_for_status()
    seen = response.json()["credential"]
    assert isinstance(seen, str)
    return seen


def test_each_host_gets_its_credential(loopback: Loopback) -> None:
    session = loopback.both()
    assert credential(requests.get(loopback.planet, auth=session, timeout=30)) == "api_key_basic"
    with requests.Session() as client:
        client.auth = session
        assert credential(client.get(loopback.sentinel_hub)) == "bearer"
        assert credential(client.post(loopback.sentinel_hub, json={"a": 1})) == "bearer"


def test_it_is_an_auth_base(loopback: Loopback) -> None:
    session = loopback.key()
    assert isinstance(session, requests.auth.AuthBase)
    assert isinstance(session, planetkey.Session)
    assert not isinstance(session, requests.Session)
    assert type(session) is planetkey.Session


@pytest.mark.parametrize("transport", ["basic", "header", "query"])
def test_an_api_key_goes_where_it_may(
    loopback: Loopback, transport: Literal["basic", "header", "query"]
) -> None:
    session = loopback.key(transport)
    # It replaces another credential in a header.
    headers = {"Authorization": "Bearer other"}
    seen = credential(requests.get(loopback.planet, auth=session, headers=headers, timeout=30))
    assert seen == f"api_key_{transport}"
    for url in (loopback.sentinel_hub, loopback.foreign):
        with pytest.raises(planetkey.HostRefusedError):
            requests.get(url, auth=session, timeout=30)
    assert loopback.requests("sentinel_hub_api") == loopback.requests("as.other") == 0


def test_an_invalid_url_is_an_error_as_in_every_adapter(loopback: Loopback) -> None:
    session = loopback.both()
    url = loopback.planet.replace("http://", "ftp://")
    with pytest.raises(planetkey.InvalidArgumentError):
        requests.get(url, auth=session, timeout=30)
    with pytest.raises(planetkey.InvalidArgumentError):
        session(requests.Request("GET", url))
    assert session(requests.Request("GET", loopback.foreign)).auth is None
    assert session(requests.Request("GET", loopback.planet)).auth is session


def test_a096_a_revoked_token_is_refreshed_and_the_request_repeated(loopback: Loopback) -> None:
    session = loopback.m2m()
    with requests.Session() as client:
        client.auth = session
        client.get(loopback.sentinel_hub).raise_for_status()
        loopback.revoke()
        response = client.get(loopback.sentinel_hub)
        assert credential(response) == "bearer"
        assert [before.status_code for before in response.history] == [401]
        assert credential(client.get(loopback.sentinel_hub)) == "bearer"
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (2, 4)
    # The pool opened one connection, and the 401 released it.
    connections = {entry["connection"] for entry in loopback.simulator.requests("sentinel_hub_api")}
    assert len(connections) == 1


def test_it_is_repeated_once(loopback: Loopback) -> None:
    session = loopback.m2m()
    loopback.simulator.script("sentinel_hub_api", CHALLENGE, repeat=True)
    response = requests.get(loopback.sentinel_hub, auth=session, timeout=30)
    assert response.status_code == 401
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (2, 2)


def test_a_response_that_a_new_token_cannot_change_is_final(loopback: Loopback) -> None:
    session = loopback.both()
    loopback.simulator.settings(api_keys=["another"])
    forbidden = loopback.simulator.sentinel_hub_api + "/forbidden"
    for url, status in ((forbidden, 403), (loopback.planet, 401)):
        assert requests.get(url, auth=session, timeout=30).status_code == status
    assert loopback.token_requests == 1
    assert loopback.requests("planet_api") == loopback.requests("sentinel_hub_api") == 1
    assert requests.get(loopback.planet, auth=loopback.key("query"), timeout=30).status_code == 401
    assert loopback.requests("planet_api") == 2


def test_a_body_that_is_not_sent_again_is_not_rewound(loopback: Loopback) -> None:
    loopback.simulator.settings(api_keys=["another"])
    body = io.BytesIO(BODY)
    assert (
        requests.post(loopback.planet, data=body, auth=loopback.key(), timeout=30).status_code
        == 401
    )
    assert body.tell() == len(BODY)


# Otherwise the second request would wait for ever.
@pytest.mark.timeout(30)
def test_a_refresh_that_fails_releases_the_connection(loopback: Loopback) -> None:
    with requests.Session() as client:
        client.auth = loopback.m2m()
        client.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
        client.get(loopback.sentinel_hub).raise_for_status()
        loopback.revoke()
        loopback.simulator.script("m2m.token", NO_TOKEN)
        with pytest.raises(planetkey.ProtocolError) as caught:
            client.get(loopback.sentinel_hub)
        assert client.get(loopback.sentinel_hub, auth=lambda bare: bare).status_code == 401
    # It lived until here, and all that it refers to.
    assert caught.value.__traceback__ is not None


def lines() -> Iterator[bytes]:
    yield BODY


class Closing(io.BytesIO):
    """A file that closes itself at its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data:
            self.close()
        return data


BODIES: dict[str, tuple[Callable[[Path], Any], int]] = {
    "bytes": (lambda _: BODY, 200),
    "text": (lambda _: BODY.decode(), 200),
    "form": (lambda _: {"a": "b"}, 200),
    "file": (lambda file: file.open("rb"), 200),
    "buffer": (lambda _: io.BytesIO(BODY), 200),
    # They are gone.
    "closing": (lambda _: Closing(BODY), 401),
    "lines": (lambda _: lines(), 401),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_is_sent_again_if_it_can_be(loopback: Loopback, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "body"
    file.write_bytes(BODY)
    make, status = BODIES[kind]
    session = loopback.m2m()
    session.access_token()
    loopback.revoke()
    response = requests.post(loopback.sentinel_hub, data=make(file), auth=session, timeout=30)
    assert response.status_code == status
    sent = [entry["headers"] for entry in loopback.simulator.requests("sentinel_hub_api")]
    assert len(sent) == (2 if status == 200 else 1)
    # In any case the next request has another token.
    requests.get(loopback.sentinel_hub, auth=session, timeout=30).raise_for_status()
    assert loopback.token_requests == 2


def test_a095_a_redirect_to_a_foreign_host_carries_nothing(loopback: Loopback) -> None:
    session = loopback.both()
    # The foreign host would like to have it.
    loopback.simulator.script("as.other", CHALLENGE, repeat=True)
    for start in (loopback.planet, loopback.sentinel_hub):
        url = loopback.redirect(start, loopback.foreign)
        assert requests.get(url, auth=session, timeout=30).status_code == 401
    assert loopback.authorizations("as.other") == [None, None]
    assert loopback.token_requests == 1


def test_a_redirect_to_the_other_domain_gets_what_may_go_there(loopback: Loopback) -> None:
    url = loopback.redirect(loopback.planet, loopback.sentinel_hub)
    assert credential(requests.get(url, auth=loopback.both(), timeout=30)) == "bearer"
    assert requests.get(url, auth=loopback.key(), timeout=30).status_code == 401
    bare, bearer, alone = loopback.authorizations("sentinel_hub_api")
    assert bare is alone is None
    assert (bearer or "").startswith("Bearer ")


def test_a_key_in_the_url_is_not_lost_by_a_redirect(loopback: Loopback) -> None:
    session = loopback.key("query")
    url = loopback.redirect(loopback.planet, loopback.planet)
    assert credential(requests.get(url, auth=session, timeout=30)) == "api_key_query"
    # Not where the other server would like to have it, either.
    loopback.simulator.script("as.other", CHALLENGE, repeat=True)
    url = loopback.redirect(loopback.planet, loopback.foreign)
    assert requests.get(url, auth=session, timeout=30).status_code == 401
    assert loopback.queries("as.other") == [None]


def test_netrc_does_not_replace_the_credential(loopback: Loopback) -> None:
    loopback.write_netrc()
    session = loopback.both()
    # What is given as `headers` it does replace: it is why a session is an `auth`.
    headers = session.headers(loopback.sentinel_hub)
    assert requests.get(loopback.sentinel_hub, headers=headers, timeout=30).status_code == 401
    for url in (loopback.planet, loopback.sentinel_hub):
        requests.get(url, auth=session, timeout=30).raise_for_status()
    # Within one host `requests` takes it with every redirect.
    url = loopback.redirect(loopback.sentinel_hub, loopback.sentinel_hub)
    assert credential(requests.get(url, auth=session, timeout=30)) == "bearer"
    assert loopback.token_requests == 1


def test_responses_can_be_pickled(loopback: Loopback) -> None:
    response = requests.get(loopback.planet, auth=loopback.both(), timeout=30)
    again = pickle.loads(pickle.dumps(response))  # noqa: S301
    assert credential(again) == "api_key_basic"
    assert requests.Session().send(again.request).status_code == 200


def test_other_arguments_are_type_errors(loopback: Loopback) -> None:
    with pytest.raises(TypeError, match="not dict"):
        loopback.key()({})


def test_pystac_client(loopback: Loopback) -> None:
    io = StacApiIO(request_modifier=loopback.both())
    assert '"bearer"' in io.request(loopback.sentinel_hub)
    assert '"api_key_basic"' in io.request(loopback.planet, method="POST", parameters={"limit": 1})
    loopback.revoke()
    assert '"bearer"' in io.request(loopback.sentinel_hub)
    assert loopback.token_requests == 2
    # Links lead to foreign hosts.
    with pytest.raises(pystac_client.exceptions.APIError):
        io.request(loopback.foreign)
    assert loopback.authorizations("as.other") == [None]


def test_pystac_client_follows_requests(loopback: Loopback) -> None:
    """Redirects and `.netrc`."""
    io = StacApiIO(request_modifier=loopback.both())
    with pytest.raises(pystac_client.exceptions.APIError):
        io.request(loopback.redirect(loopback.sentinel_hub, loopback.foreign))
    assert loopback.authorizations("as.other") == [None]
    loopback.write_netrc()
    assert '"bearer"' in io.request(loopback.sentinel_hub)


def test_pystac_client_opens_a_catalog(loopback: Loopback) -> None:
    catalog = {
        "type": "Catalog",
        "id": "catalog",
        "stac_version": "1.0.0",
        "description": "A catalog.",
        "conformsTo": ["https://api.stacspec.org/v1.0.0/core"],
        "links": [],
    }
    session = loopback.both()
    token = session.access_token()
    loopback.simulator.script("sentinel_hub_api", {"json": catalog})
    client = pystac_client.Client.open(loopback.sentinel_hub, request_modifier=session)
    assert client.id == "catalog"
    assert loopback.authorizations("sentinel_hub_api") == [f"Bearer {token}"]
