"""Logins of users, with the pages of the simulator."""

import signal
import socket
import textwrap
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import planetkey
import pytest
from planet_simulator import Simulator, finish, line, token_file

OPENID = ["planet", "offline_access", "openid", "profile", "email"]
#: A client that is registered for the browser; its redirect URI may have any port.
BROWSER_CLIENT: dict[str, Any] = {
    "client_type": "oidc_auth_code",
    "client_id": "desktop",
    "redirect_uri": "http://127.0.0.1/callback",
    "scopes": OPENID,
}


@pytest.fixture
def simulator(simulator: Simulator) -> Simulator:
    simulator.settings(device_interval=1)
    simulator.register(
        client_id="desktop", public=True, server="user", redirect_uris=["http://127.0.0.1/callback"]
    )
    return simulator


def desktop(simulator: Simulator, **options: Any) -> planetkey.Session:  # noqa: ANN401
    return planetkey.Session.from_client_config(
        BROWSER_CLIENT, deployment=simulator.deployment, allow_insecure_loopback=True, **options
    )


def get(url: str) -> tuple[int, str]:
    """The response that a browser on this computer gets when it returns."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


@contextmanager
def waiting(
    login: planetkey.BrowserLogin | planetkey.DeviceLogin,
) -> Iterator[tuple[threading.Thread, list[object]]]:
    """Waits for a login on another thread, which ends with the block."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(login.wait())
        except planetkey.Error as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield thread, outcome
    finally:
        login.cancel()
        thread.join(30)


def test_a_device_login_by_a_prompt(simulator: Simulator) -> None:
    shown: list[planetkey.Prompt] = []

    def prompt(prompt: planetkey.Prompt) -> None:
        shown.append(prompt)
        assert prompt.user_code is not None
        simulator.log_in(user_code=prompt.user_code, username="ada")

    session = simulator.user()
    logged_in = session.login(prompt=prompt, open_browser=False, scopes=OPENID)
    assert (logged_in.prompted, logged_in.subject, logged_in.email) == (
        True,
        "user|ada",
        "ada@example.com",
    )
    assert (logged_in.profile, logged_in.file) == ("planet-user", str(token_file("planet-user")))
    assert set(logged_in.scopes) == set(OPENID)
    assert logged_in.expires_at is not None
    (prompt_shown,) = shown
    assert prompt_shown.kind == "device"
    assert prompt_shown.user_code is not None
    assert prompt_shown.user_code in prompt_shown.message
    assert prompt_shown.verification_uri_complete is not None
    assert prompt_shown.user_code in prompt_shown.verification_uri_complete
    assert prompt_shown.url == prompt_shown.verification_uri_complete
    assert prompt_shown.expires_in is not None
    assert not prompt_shown.browser_opened
    for ascii_only in (False, True):
        code = prompt_shown.qr_code(ascii=ascii_only)
        assert code is not None
        assert code.isascii() is ascii_only
    # It is saved: another session loads it, and a valid session does not prompt.
    other = simulator.user()
    assert other.is_initialized()
    assert not other.login().prompted
    assert session.userinfo()["email"] == "ada@example.com"
    assert session.id_token_claims()["sub"] == "user|ada"
    introspection = session.introspect()
    assert introspection["active"] is True
    assert introspection["sub"] == "user|ada"
    assert session.introspect("not-a-token") == {"active": False}


def test_a_device_login_that_a_timer_drives(simulator: Simulator) -> None:
    login = simulator.user().start_device_login()
    simulator.log_in(user_code=login.user_code)
    while (result := login.poll()) is None:
        assert login.poll_interval > 0
        time.sleep(login.poll_interval)
    assert result.subject == "simulator-user"
    assert login.wait().subject == "simulator-user", "a later call returns the same"


def test_a_browser_login(simulator: Simulator) -> None:
    session = desktop(simulator)
    login = session.start_browser_login()
    port = urllib.parse.urlsplit(login.redirect_uri).port
    assert port is not None
    with waiting(login) as (thread, outcome):
        location = simulator.log_in(authorization_url=login.authorization_url, username="ada")[
            "location"
        ]
        assert location.startswith(login.redirect_uri + "?")
        status, page = get(location)
        thread.join(30)
    assert status == 200
    assert "You are logged in" in page
    (logged_in,) = outcome
    assert isinstance(logged_in, planetkey.LoginResult)
    assert logged_in.subject == "user|ada"
    assert session.access_token()
    socket.create_server(("127.0.0.1", port)).close()


def test_f129_a_denial_is_denied_in_the_device_login(simulator: Simulator) -> None:
    login = desktop(simulator).start_browser_login()
    with waiting(login) as (thread, outcome):
        status, page = get(
            simulator.log_in(authorization_url=login.authorization_url, allow=False)["location"]
        )
        thread.join(30)
    (refusal,) = outcome
    assert isinstance(refusal, planetkey.DeniedError)
    assert refusal.oauth_error == "access_denied"
    assert (status, "denied" in page) == (200, True)
    device = simulator.user().start_device_login()
    simulator.log_in(user_code=device.user_code, allow=False)
    with pytest.raises(planetkey.DeniedError):
        device.wait()
    assert not token_file("planet-user").exists()


def test_cancelling_ends_the_wait_and_closes_the_port(simulator: Simulator) -> None:
    for login in (simulator.user().start_device_login(), desktop(simulator).start_browser_login()):
        with waiting(login) as (thread, outcome):
            login.cancel()
            thread.join(30)
        (error,) = outcome
        assert isinstance(error, planetkey.CancelledError)
        if isinstance(login, planetkey.BrowserLogin):
            with pytest.raises(OSError, match="refused"):
                get(login.redirect_uri)


def test_f131_the_address_is_pasted_back(simulator: Simulator) -> None:
    answers: list[str] = ["nonsense"]

    def prompt(prompt: planetkey.Prompt) -> str:
        assert prompt.kind == "paste"
        assert prompt.url is not None
        answers.append(simulator.log_in(authorization_url=prompt.url, username="ada")["location"])
        return answers.pop(0)

    assert desktop(simulator).login(method="paste", prompt=prompt).subject == "user|ada"
    with pytest.raises(planetkey.CancelledError):
        desktop(simulator).login(method="paste", prompt=lambda _: None, force=True)


def test_f130_another_user_is_reported_before_the_session_is_replaced(simulator: Simulator) -> None:
    simulator.saved_login(subject="user|ada", scope=" ".join(OPENID))
    file = token_file("planet-user")
    before = file.read_bytes()
    questions: list[str] = []

    def answering(answer: str | None) -> planetkey.LoginResult:
        def prompt(prompt: planetkey.Prompt) -> str | None:
            if prompt.kind == "device":
                assert prompt.user_code is not None
                simulator.log_in(user_code=prompt.user_code, username="bob")
                return None
            questions.append(prompt.message)
            assert file.read_bytes() == before
            return answer

        return simulator.user().login(force=True, open_browser=False, prompt=prompt)

    for refusal in ("no", None):
        with pytest.raises(planetkey.DeniedError) as denied:
            answering(refusal)
        assert denied.value.reason == "other_user"
        assert file.read_bytes() == before
    assert answering("yes").subject == "user|bob"
    assert file.read_bytes() != before
    assert all("ada" in question and "bob" in question for question in questions)
    assert len(questions) == 3


def test_an_exception_of_a_prompt_reaches_the_caller(simulator: Simulator) -> None:
    class TroubleError(Exception):
        pass

    def prompt(_: planetkey.Prompt) -> str:
        raise TroubleError

    with pytest.raises(TroubleError):
        simulator.user().login(open_browser=False, prompt=prompt)
    with pytest.raises(TypeError, match="callable"):
        simulator.user().login(prompt="not a function")  # type: ignore[arg-type]
    with pytest.raises(planetkey.InvalidArgumentError, match="method"):
        simulator.user().login(method="telepathy")  # type: ignore[arg-type]


def test_without_a_prompt_handler_the_error_says_what_to_do(simulator: Simulator) -> None:
    advice = "pass one, or log in to the profile 'planet-user'"
    with pytest.raises(planetkey.LoginRequiredError, match=advice):
        simulator.user().login(open_browser=False)


def test_a_logout_revokes_the_refresh_token(simulator: Simulator) -> None:
    refresh_token = simulator.saved_login()["refresh_token"]
    out = simulator.user().logout()
    assert out
    assert (out.removed, out.revocation, out.revocation_error) == (True, "revoked", None)
    assert simulator.session_of(refresh_token)["active"] is False
    assert simulator.user().logout().removed is False

    refresh_token = simulator.saved_login()["refresh_token"]
    assert simulator.user().logout(revoke=False).revocation == "none"
    assert simulator.session_of(refresh_token)["active"] is True

    simulator.saved_login()
    simulator.script("user.revoke", {"status": 503})
    out = simulator.user().logout()
    assert (out.removed, out.revocation) == (True, "unknown")
    assert out.revocation_error is not None
    assert not token_file("planet-user").exists()


def test_a_session_of_the_environment_adopts_a_login(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANETKEY_DEPLOYMENT", str(simulator.deployment))
    session = planetkey.Session.from_defaults(allow_insecure_loopback=True)
    url = simulator.planet_api + "/data/v1"
    with pytest.raises(planetkey.LoginRequiredError):
        session.headers(url)

    def prompt(prompt: planetkey.Prompt) -> None:
        assert prompt.user_code is not None
        simulator.log_in(user_code=prompt.user_code)

    assert session.login(open_browser=False, prompt=prompt).profile == "planet-user"
    assert session.headers(url)["Authorization"].startswith("Bearer ")


def test_m2m_clients_and_api_keys_need_no_user(simulator: Simulator) -> None:
    assert not simulator.m2m().login().prompted
    assert not simulator.key().login().prompted
    with pytest.raises(planetkey.UnsupportedError):
        simulator.m2m().userinfo()


def test_f108_ctrl_c_ends_a_login(simulator: Simulator) -> None:
    script = textwrap.dedent(
        """
        import signal
        import planetkey
        # A shell starts background jobs with SIGINT ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        session = planetkey.Session.from_profile(
            "planet-user", deployment=DEPLOYMENT, allow_insecure_loopback=True)
        login = session.start_device_login()
        try:
            print("waiting", flush=True)
            login.wait()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """
    )
    process = simulator.python(script.replace("DEPLOYMENT", repr(str(simulator.deployment))))
    assert line(process) == "waiting"
    process.send_signal(signal.SIGINT)
    code, out, _ = finish(process)
    assert (code, out.strip()) == (0, "interrupted")
