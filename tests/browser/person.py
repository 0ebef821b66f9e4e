"""A person with a browser, as the simulator knows people: any user name, the second factor 123456, and consent."""

import os
from pathlib import Path

from webdriver import Browser

SECOND_FACTOR = "123456"


class Person:
    """Somebody at a browser."""

    def __init__(self, browser: Browser, name: str = "ada") -> None:
        self.browser = browser
        self.name = name

    @property
    def subject(self) -> str:
        return f"user|{self.name}"

    def logs_in(self, url: str) -> None:
        """Opens the address that a program gave, and shows who it is; what remains is the consent."""
        self.browser.open(url)
        self.shows_who_it_is()

    def shows_who_it_is(self) -> None:
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
        """Opens the address that holds the code of a device already, and compares it with what the device shows."""
        self.browser.open(url)
        assert self.browser.value_of("#user_code") == code
        self.browser.click("#submit")
        self.shows_who_it_is()

    def enters_code(self, url: str, code: str) -> None:
        """Opens the address of a device, and types its code."""
        self.browser.open(url)
        self.browser.type("#user_code", code)
        self.browser.click("#submit")
        self.shows_who_it_is()

    def sees(self, heading: str) -> None:
        """Waits for a page with this heading."""
        self.browser.wait_for(f"//h1[.='{heading}']")

    def reads(self, words: str) -> None:
        """Waits for a page that says this somewhere."""
        self.browser.wait_for(f"//body[contains(., '{words}')]")
        assert words in self.browser.text


class DefaultBrowser:
    """What programs find in `BROWSER`: it opens nothing itself, and tells the test what is to be opened."""

    def __init__(self, directory: Path) -> None:
        self._pipe = directory / "opened"
        os.mkfifo(self._pipe)
        self._program = directory / "browser"
        self._program.write_text(f"#!/bin/sh\nprintf '%s' \"$1\" > '{self._pipe}'\n")
        self._program.chmod(0o755)

    def environment(self) -> dict[str, str]:
        return {"BROWSER": str(self._program)}

    def opened(self) -> str:
        """The address that a program opens; waits for it."""
        return self._pipe.read_text()
