"""Logins of the command with a real browser."""

import json
import os
import socket
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Simulator, command
from terminal import Terminal
from user import DefaultBrowser, User
from webdriver import Browser, WebDriverError

OK, LOGIN_REQUIRED, DENIED, TIMEOUT, CANCELLED = 0, 3, 4, 7, 8
LOGGED_IN = "You are logged in"


_terminals: list[Terminal] = []


def login(*arguments: str) -> Terminal:
    _terminals.append(Terminal([command(), "login", *arguments]))
    return _terminals[-1]


@pytest.fixture(autouse=True)
def _terminals_are_closed() -> Iterator[None]:
    yield
    while _terminals:
        _terminals.pop().stop()


def printed(*arguments: str) -> str:
    return subprocess.run(
        [command(), *arguments], capture_output=True, text=True, check=True
    ).stdout.rstrip("\n")


def saved(home: Path) -> dict[str, object]:
    return json.loads((home / ".planet" / "planet-user" / "token.json").read_bytes())


def parameter(url: str, name: str) -> str:
    (value,) = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)[name]
    return value


def port_is_free(redirect_uri: str) -> bool:
    with socket.socket() as listener:
        return (
            listener.connect_ex(("127.0.0.1", urllib.parse.urlsplit(redirect_uri).port or 0)) != 0
        )


def test_a_user_logs_in_through_the_browser(
    simulator: Simulator,
    home: Path,
    default_browser: DefaultBrowser,
    ada: User,
    request: pytest.FixtureRequest,
) -> None:
    """User name, second factor, consent, the final page, and the token."""
    terminal = login("--browser")
    ada.logs_in(default_browser.opened())
    assert ada.browser.read("#client") == "49lHVBYlXCdfIYqE1B9zeXt0iFHSXees"
    ada.allows()
    ada.sees(LOGGED_IN)
    ada.reads("return to your program")
    code, output, screen = terminal.end()
    assert (code, output) == (OK, ""), screen
    assert f"logged in as {ada.subject}, profile planet-user" in screen
    # The page leaves nothing in the browser and loads nothing from other hosts.
    assert ada.browser.script(
        "return [document.cookie, localStorage.length, document.scripts.length]"
    ) == ["", 0, 0]
    assert ada.browser.script("return performance.getEntriesByType('resource').length") == 0
    token = printed("print-access-token")
    assert token == saved(home)["access_token"]
    assert simulator.get(simulator.planet_api + "/data/v1", f"Authorization: Bearer {token}") == 200
    assert (simulator.count("user.token"), simulator.count("user.authorize")) == (1, 1)
    pictures(ada.browser)


def pictures(browser: Browser) -> None:
    """Saves screenshots of the final page, because a test cannot judge its looks."""
    if (named := os.environ.get("PLANETKEY_SCREENSHOTS")) is None:
        return
    directory = Path(named)
    browser.screenshot(directory / "logged-in.png")
    browser.emulate(prefers_color_scheme="dark")
    browser.screenshot(directory / "logged-in-dark.png")


def test_f129_a_denial_is_a_page_and_an_exit_code(
    simulator: Simulator, home: Path, default_browser: DefaultBrowser, ada: User
) -> None:
    terminal = login("--browser")
    ada.logs_in(default_browser.opened())
    ada.denies()
    ada.sees("Not logged in")
    code, output, screen = terminal.end()
    assert (code, output) == (DENIED, ""), screen
    assert not (home / ".planet").exists()
    assert simulator.count("user.token") == 0


def test_f122_a_login_with_a_closed_tab_waits_until_ctrl_c(
    simulator: Simulator, home: Path, default_browser: DefaultBrowser, ada: User
) -> None:
    terminal = login("--browser")
    url = default_browser.opened()
    ada.browser.new_tab()
    ada.logs_in(url)
    ada.browser.close_tab()
    terminal.find(r"Waiting for the login, \d:\d\d left")
    assert not port_is_free(parameter(url, "redirect_uri"))
    terminal.type("\x03")
    code, output, screen = terminal.end()
    assert (code, output) == (CANCELLED, ""), screen
    assert port_is_free(parameter(url, "redirect_uri"))
    assert not (home / ".planet").exists()


def test_f122_a_login_with_a_closed_tab_waits_until_its_timeout(
    simulator: Simulator, home: Path, default_browser: DefaultBrowser, ada: User
) -> None:
    terminal = login("--browser", "--wait-s", "5")
    url = default_browser.opened()
    ada.browser.new_tab()
    ada.browser.open(url)
    ada.browser.close_tab()
    code, output, screen = terminal.end()
    assert (code, output) == (TIMEOUT, ""), screen
    assert port_is_free(parameter(url, "redirect_uri"))


def test_f123_the_redirect_is_accepted_once(
    simulator: Simulator, home: Path, default_browser: DefaultBrowser, ada: User
) -> None:
    """A reload of the final page reaches no server, and the code is sent once."""
    terminal = login("--browser")
    ada.logs_in(default_browser.opened())
    ada.allows()
    ada.sees(LOGGED_IN)
    redirect_uri = ada.browser.url
    code, _, screen = terminal.end()
    assert code == OK, screen
    ada.browser.reload()
    ada.reads("ERR_CONNECTION_REFUSED")
    with pytest.raises(WebDriverError, match="ERR_CONNECTION_REFUSED"):
        ada.browser.open(redirect_uri)
    assert simulator.count("user.token") == 1
    assert simulator.session_of(printed("print-access-token"))["active"]


def test_f124_other_requests_of_a_browser_do_not_end_the_login(
    simulator: Simulator, home: Path, default_browser: DefaultBrowser, ada: User
) -> None:
    """The icon, a prefetch, and a foreign page that tries the port, each with a real browser."""
    terminal = login("--browser")
    url = default_browser.opened()
    redirect_uri = parameter(url, "redirect_uri")
    origin = redirect_uri.removesuffix("/callback")
    for path, heading in (
        ("/favicon.ico", "Nothing here"),
        ("/", "Nothing here"),
        ("/callback/", "Nothing here"),
        ("/callback?error=access_denied", "Not this login"),
        ("/callback?code=forged&state=forged", "Not this login"),
    ):
        ada.browser.open(origin + path)
        ada.sees(heading)
    # A page of another origin sends a preflight, a form and an image request.
    ada.browser.open(simulator.planet_api + "/data/v1")
    tries = """
        const [origin] = arguments, tries = [
            fetch(origin + '/callback', {method: 'POST', headers: {'x-forged': '1'}}),
            fetch(origin + '/callback?code=x&state=y', {mode: 'no-cors'}),
            navigator.sendBeacon(origin + '/callback', 'code=x'),
        ];
        return Promise.allSettled(tries).then((all) => all.length);
    """
    assert ada.browser.script(tries, origin) == 3
    terminal.find("Waiting for the login")
    ada.logs_in(url)
    ada.allows()
    ada.sees(LOGGED_IN)
    code, _, screen = terminal.end()
    assert code == OK, screen
    assert simulator.count("user.token") == 1


def test_f121_a_device_login_is_completed_in_any_browser(
    simulator: Simulator, home: Path, ada: User
) -> None:
    """Without a browser the command shows a URL and a code."""
    terminal = login()
    url = terminal.find(r"\n    (http://\S+)\n")
    code = terminal.find(r"shows the code ([A-Z-]+)")
    ada.confirms_code(url, code)
    ada.allows()
    ada.reads("The device is logged in")
    ended, output, screen = terminal.end()
    assert (ended, output) == (OK, ""), screen
    assert f"logged in as {ada.subject}" in screen
    assert printed("print-access-token") == saved(home)["access_token"]


def test_a_code_is_typed_on_another_device_and_denied(
    simulator: Simulator, home: Path, ada: User
) -> None:
    terminal = login("--device")
    url = terminal.find(r"Or open\s+(http://\S+)\s+and enter")
    code = terminal.find(r"shows the code ([A-Z-]+)")
    ada.enters_code(url, code.lower())
    ada.denies()
    ada.reads("You denied the login")
    ended, output, screen = terminal.end()
    assert (ended, output) == (DENIED, ""), screen
    assert not (home / ".planet").exists()


def test_a_device_login_opens_the_browser_where_there_is_one(
    simulator: Simulator, home: Path, default_browser: DefaultBrowser, ada: User
) -> None:
    terminal = login()
    ada.confirms_code(default_browser.opened(), terminal.find(r"shows the code ([A-Z-]+)"))
    ada.allows()
    code, _, screen = terminal.end()
    assert code == OK, screen


def test_a_client_without_device_logins_pastes_the_redirect(
    simulator: Simulator, home: Path, ada: User
) -> None:
    redirect_uri = "http://127.0.0.1/callback"
    simulator.register(
        client_id="browser-only",
        public=True,
        server="user",
        redirect_uris=[redirect_uri],
        grant_types=["authorization_code", "refresh_token"],
    )
    config = {
        "client_type": "oidc_auth_code",
        "client_id": "browser-only",
        "auth_server": simulator.user_issuer,
        "scopes": ["planet", "offline_access"],
        "audiences": ["https://api.planet.com/"],
        "redirect_uri": redirect_uri,
    }
    profile = home / ".planet" / "work"
    profile.mkdir(parents=True, mode=0o700)
    (profile / "auth_client.json").write_text(json.dumps(config))
    terminal = login("--profile", "work")
    ada.logs_in(terminal.find(r"\n    (http://\S+)\n"))
    ada.allows()
    # The browser shows an error page, because no program listens there. Its URL is all that is
    # needed.
    ada.reads("ERR_CONNECTION_REFUSED")
    address = ada.browser.url
    assert address.startswith(redirect_uri.replace("/callback", ":"))
    terminal.type(address + "\r")
    code, _, screen = terminal.end()
    assert code == OK, screen
    assert parameter(address, "code") not in screen
    assert printed("--profile", "work", "print-access-token")
