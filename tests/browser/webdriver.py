"""A browser, driven by the W3C WebDriver protocol: the part that a login needs."""

import base64
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# The protocol's member name for an element.
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# The timeout for elements and pages.
PATIENCE_MS = 30_000

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-proxy-server",
    # Only loopback addresses resolve.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE [::1], EXCLUDE localhost",
    "--window-size=900,700",
)


class WebDriverError(Exception):
    """An error of the driver."""


class Driver:
    """The driver's HTTP interface."""

    def __init__(self, address: str) -> None:
        self._address = address
        # Loopback uses no proxy, whatever the environment says.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._address + path, data=data, method=method)
        request.add_header("Content-Type", "application/json; charset=utf-8")
        try:
            with self._opener.open(request, timeout=120) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise WebDriverError(f"{value['error']}: {value['message']}") from None


class Browser:
    """One window of a browser with a new profile."""

    def __init__(self, driver: Driver, profile: Path) -> None:
        options = {
            "args": [*ARGUMENTS, f"--user-data-dir={profile}"],
            "binary": os.environ.get("CHROMIUM", "/usr/bin/chromium"),
        }
        capabilities = {
            "alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "timeouts": {"implicit": PATIENCE_MS, "pageLoad": PATIENCE_MS},
            }
        }
        self._driver = driver
        session = driver.call("POST", "/session", {"capabilities": capabilities})
        self._session = f"/session/{session['sessionId']}"

    def _call(self, method: str, path: str, body: object = None) -> Any:
        return self._driver.call(method, self._session + path, body)

    def open(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    def reload(self) -> None:
        self._call("POST", "/refresh")

    @property
    def url(self) -> str:
        return str(self._call("GET", "/url"))

    @property
    def text(self) -> str:
        """The visible text of the page."""
        return str(self._call("GET", f"/element/{self._element('body')}/text"))

    def script(self, script: str, *arguments: object) -> Any:
        return self._call("POST", "/execute/sync", {"script": script, "args": arguments})

    def _element(self, selector: str) -> str:
        return str(
            self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]
        )

    def wait_for(self, xpath: str) -> None:
        """Waits until the page has this element. A click may return before its page is loaded."""
        self._call("POST", "/element", {"using": "xpath", "value": xpath})

    def read(self, selector: str) -> str:
        return str(self._call("GET", f"/element/{self._element(selector)}/text"))

    def value_of(self, selector: str) -> str:
        return str(self._call("GET", f"/element/{self._element(selector)}/property/value"))

    def type(self, selector: str, text: str) -> None:
        self._call("POST", f"/element/{self._element(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        self._call("POST", f"/element/{self._element(selector)}/click")

    def new_tab(self) -> None:
        """Opens another tab and switches to it."""
        window = self._call("POST", "/window/new", {"type": "tab"})
        self._call("POST", "/window", {"handle": window["handle"]})

    def close_tab(self) -> None:
        """Closes this tab and switches to another one."""
        (other, *_) = self._call("DELETE", "/window")
        self._call("POST", "/window", {"handle": other})

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def emulate(self, **media: str) -> None:
        """Emulates media features, such as `prefers_color_scheme="dark"`."""
        features = [
            {"name": name.replace("_", "-"), "value": value} for name, value in media.items()
        ]
        self._call(
            "POST",
            "/goog/cdp/execute",
            {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}},
        )

    def quit(self) -> None:
        self._call("DELETE", "")


@contextmanager
def running_driver(log: Path) -> Iterator[Driver]:
    """A ChromeDriver for the time of the block. Everything that it started ends with it."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver"), "--port=0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # Its own process group, so that no browser is left behind.
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        port = next(
            line.split("on port ")[1].rstrip(".\n")
            for line in process.stdout
            if "successfully on port " in line
        )
        yield Driver(f"http://127.0.0.1:{port}")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        process.stdout.close()
