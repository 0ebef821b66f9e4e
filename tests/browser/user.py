"""A user of the simulator with a browser: any user name, the second factor 123456, and consent."""

import os
from pathlib import Path

from webdriver import Browser

SECOND_FACTOR = "123456"


class User:
    """A user with a browser."""

    def __init__(self, browser: Browser, name: str = "ada") -> None:
        self.browser = browser
        self.name = name

    @property
    def subject(self) -> str:
        return f"user|{self.name}"

    def logs_in(self, url: str) -> None:
        """Opens a program's login URL and authenticates. The consent page remains."""
        self.browser.open(url)
        self.authenticates()

    def authenticates(self) -> None:
        self.browser.type("#username", self.name)
        self.browser.click("#submit")
        self.browser.type("#otp", SECOND_FACTOR)
        self.browser.click("#submit")
        self.sees("Consent")

    def allows(self) -> None:
        self.browser.click("#allow")

    def denies(self) -> None:
        self.browser.click("#deny")

    def confirms_code(self, url: str, code: str) -> None:
        """Opens the URL with a user code, and compares the code with the one on the device."""
        self.browser.open(url)
        assert self.browser.value_of("#user_code") == code
        self.browser.click("#submit")
        self.authenticates()

    def enters_code(self, url: str, code: str) -> None:
        """Opens the verification URL and types the user code."""
        self.browser.open(url)
        self.browser.type("#user_code", code)
        self.browser.click("#submit")
        self.authenticates()

    def sees(self, heading: str) -> None:
        """Waits for a page with this heading."""
        self.browser.wait_for(f"//h1[.='{heading}']")

    def reads(self, words: str) -> None:
        """Waits for a page with this text."""
        self.browser.wait_for(f"//body[contains(., '{words}')]")
        assert words in self.browser.text


class DefaultBrowser:
    """The value of `BROWSER`: a program that only tells the test which URL to open."""

    def __init__(self, directory: Path) -> None:
        self._pipe = directory / "opened"
        os.mkfifo(self._pipe)
        self._program = directory / "browser"
        self._program.write_text(f"#!/bin/sh\nprintf '%s' \"$1\" > '{self._pipe}'\n")
        self._program.chmod(0o755)

    def environment(self) -> dict[str, str]:
        return {"BROWSER": str(self._program)}

    def opened(self) -> str:
        """Waits for a program to open a URL, and returns it."""
        return self._pipe.read_text()
