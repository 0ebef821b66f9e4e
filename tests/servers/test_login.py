"""Users log in with planetkey on the servers' own pages."""

import re
import socket
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import planetkey
import pytest

from clients import API, Profile, bearer
from server import AUDIENCE, Server
from user import Page, parameters

CODE = "authorization_code"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


class Browser:
    """A login in progress, and the user's browser."""

    def __init__(self, server: Server, session: planetkey.Session) -> None:
        self.login = session.start_browser_login()
        self.user = server.user()
        self._waiting = ThreadPoolExecutor(1)
        self._logged_in = self._waiting.submit(self.login.wait)

    def go_through(self, answer: Literal["yes", "no"] = "yes") -> Page:
        """Goes through the server's pages until the redirect to the program."""
        page = self.user.go_through(self.login.authorization_url, answer=answer)
        assert page.url.startswith(self.login.redirect_uri + "?"), page
        return page

    def back(self, response: Mapping[str, str]) -> Page:
        """Sends a redirect with these parameters to the program and returns its page."""
        return self.user.deliver(self.login.redirect_uri + "?" + urllib.parse.urlencode(response))

    def logged_in(self) -> planetkey.LoginResult:
        """The result of the login."""
        return self._logged_in.result(60)

    def end(self) -> None:
        """Cancels the login."""
        self.login.cancel()
        self._waiting.shutdown()


@contextmanager
def browser_login(server: Server, profile: Profile) -> Iterator[Browser]:
    """A login in which the test plays the browser."""
    browser = Browser(server, profile.open())
    try:
        yield browser
    finally:
        browser.end()


@pytest.mark.shows("a019", "a020", "a023", "a024", "a028", "a031", "a032", "a050", "a051", "a104")
def test_in_the_browser(server: Server, home: Path) -> None:
    profile = Profile(server, home)
    with browser_login(server, profile) as browser:
        url = browser.login.authorization_url
        assert url.startswith(server.endpoint("authorization_endpoint") + "?")
        asked = parameters(url)
        assert asked["response_type"] == "code"
        # Keycloak requires PKCE of this client, oidc-provider of every public client.
        assert asked["code_challenge_method"] == "S256"
        assert asked["scope"] == " ".join(server.scopes)
        assert asked["audience"] == AUDIENCE
        # The redirect URI is registered without a port.
        assert asked["redirect_uri"] == browser.login.redirect_uri
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/callback", asked["redirect_uri"])
        response = parameters(browser.go_through().url)
        assert response["iss"] == server.issuer
        assert "You are logged in" in browser.back(response).text
        logged_in = browser.logged_in()
    assert set(logged_in.scopes) == set(server.granted)
    assert logged_in.file == str(profile.file)
    assert server.token_requests("user", CODE) == [None]

    # The session works like every other: it is refreshed and shared with other processes.
    session = profile.open()
    assert session.id_token_claims()["nonce"] == asked["nonce"]
    token = bearer(session.headers(API))
    assert server.is_active(token)
    assert profile.run("print-access-token") == token
    session.refresh()
    assert server.is_active(session.access_token())
    assert server.token_requests("user", "refresh_token") == [None]


@pytest.mark.shows("a045", "a046")
@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9/auth/realms/main", ""])
def test_a_response_of_another_issuer_is_refused(server: Server, home: Path, issuer: str) -> None:
    with browser_login(server, Profile(server, home)) as browser:
        response = parameters(browser.go_through().url)
        # The metadata of both servers announces `iss`.
        assert response.pop("iss") == server.issuer
        shown = browser.back({**response, "iss": issuer} if issuer else response)
        assert "You are logged in" not in shown.text
        with pytest.raises(planetkey.ProtocolError) as refused:
            browser.logged_in()
    assert refused.value.reason == "issuer_mismatch"
    # The code was not sent.
    assert server.token_requests("user", CODE) == []


@pytest.mark.shows("a035", "a037", "a044", "a049")
def test_a_response_with_a_wrong_state_is_ignored(server: Server, home: Path) -> None:
    with browser_login(server, Profile(server, home)) as browser:
        response = parameters(browser.go_through().url)
        assert browser.back({**response, "state": "guessed"}).status == 400
        # The login continues, and the code was not used.
        assert browser.back(response).status == 200
        assert browser.logged_in().subject is not None
        port = urllib.parse.urlsplit(browser.login.redirect_uri).port
    assert server.token_requests("user", CODE) == [None]
    assert port is not None
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.shows("a038", "a048")
def test_a_denial_in_the_browser(server: Server, home: Path) -> None:
    profile = Profile(server, home, client_id="stranger")
    with browser_login(server, profile) as browser:
        response = parameters(browser.go_through("no").url)
        assert response["error"] == "access_denied"
        assert browser.back({**response, "state": "guessed"}).status == 400
        browser.back(response)
        with pytest.raises(planetkey.DeniedError) as refused:
            browser.logged_in()
    assert refused.value.oauth_error == "access_denied"
    assert not profile.file.exists()
    assert server.token_requests("stranger", CODE) == []


@pytest.mark.shows("a078", "a082")
@pytest.mark.shows("a081", at="Keycloak")
def test_on_another_device(server: Server, home: Path) -> None:
    profile = Profile(server, home, client_id="device")
    session = profile.open()
    login = session.start_device_login()
    # The program polls at the given interval. Pending does not end the login, and Keycloak never
    # responds with slow_down.
    for _ in range(2):
        assert login.poll() is None
        assert login.poll_interval <= server.device_interval_ms / 1000
        time.sleep(login.poll_interval)
    page = server.user().go_through(login.verification_uri, user_code=login.user_code)
    assert page.status == 200, page
    logged_in = login.wait()
    assert set(logged_in.scopes) == set(server.granted)
    assert server.token_requests("device", DEVICE_CODE)[-1] is None
    assert server.is_active(session.access_token())
    session.refresh()
    assert server.token_requests("device", "refresh_token") == [None]


@pytest.mark.shows("a085")
def test_a_denial_on_another_device(server: Server, home: Path) -> None:
    profile = Profile(server, home, client_id="stranger", kind="oidc_device_code")
    login = profile.open().start_device_login()
    assert login.verification_uri_complete is not None
    server.user().go_through(login.verification_uri_complete, answer="no")
    with pytest.raises(planetkey.DeniedError):
        login.wait()
    asked = len(server.token_requests("stranger", DEVICE_CODE))
    with pytest.raises(planetkey.DeniedError):
        login.wait()
    assert len(server.token_requests("stranger", DEVICE_CODE)) == asked


def test_rotated_keys(server: Server, home: Path) -> None:
    profile = Profile(server, home)

    def log_in() -> str | None:
        with browser_login(server, profile) as browser:
            browser.back(parameters(browser.go_through().url))
            return browser.logged_in().subject

    subject = log_in()
    server.rotate_keys()
    # The new ID token is signed with a newer key.
    profile.open().refresh()
    assert profile.open().id_token_claims()["sub"] == subject
    assert log_in() == subject
