"""A user with a browser: follows redirects, stores cookies, fills in forms and presses buttons."""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import IO, Literal

PATIENCE_S = 30
# A login takes three or four pages.
MOST_PAGES = 20


@dataclass
class Form:
    """The fields and buttons of an HTML form."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)

    @property
    def asks_for_consent(self) -> bool:
        """Whether the form has both buttons."""
        return {"accept", "cancel"} <= self.buttons.keys()

    def first(self, kind: str) -> str | None:
        """The name of the first field of a kind."""
        return next((name for name, has in self.kinds.items() if has == kind), None)


class _Document(HTMLParser):
    """The forms and links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._form: Form | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(has.get("action", ""), has.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "a" and "href" in has:
            self.links.append(has["href"])
        elif tag in {"input", "button"} and self._form is not None and has.get("name"):
            kind = has.get("type", "text" if tag == "input" else "submit").lower()
            if kind in {"submit", "button", "image"}:
                self._form.buttons[has["name"]] = has.get("value", "")
            elif kind != "checkbox" or "checked" in has:
                self._form.values[has["name"]] = has.get("value", "")
                self._form.kinds[has["name"]] = kind

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


@dataclass(frozen=True)
class Page:
    """The URL and the content of a page."""

    url: str
    status: int
    text: str


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        return None


class User:
    """A user with a name, a password and a browser."""

    def __init__(self, name: str, password: str) -> None:
        self.name = name
        self.password = password
        # Browsers also send secure cookies to loopback over plain http.
        jar = CookieJar(DefaultCookiePolicy(secure_protocols=("https", "http")))
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _NoRedirects(), urllib.request.HTTPCookieProcessor(jar)
        )

    def visit(self, url: str, form: dict[str, str] | None = None) -> Page | str:
        """Sends one request. Returns the page, or the target of the redirect."""
        data = None if form is None else urllib.parse.urlencode(form).encode()
        # Keycloak responds to programs and browsers differently at one address.
        request = urllib.request.Request(url, data=data, headers={"Accept": "text/html"})
        try:
            with self._opener.open(request, timeout=PATIENCE_S) as response:
                return Page(url, response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                if 300 <= error.code < 400:
                    return urllib.parse.urljoin(url, str(error.headers["Location"]))
                return Page(url, error.code, error.read().decode())

    def go_through(
        self, url: str, *, user_code: str = "", answer: Literal["yes", "no"] = "yes"
    ) -> Page:
        """Opens a URL and completes each page, until there is no form or another server."""
        server = urllib.parse.urlsplit(url).netloc
        came = self.visit(url)
        refused = False
        for _ in range(MOST_PAGES):
            if isinstance(came, str):
                if urllib.parse.urlsplit(came).netloc != server:
                    return Page(came, 302, "")
                came = self.visit(came)
                continue
            document = _Document(came.text)
            if refused or came.status >= 400 or not document.forms:
                return came
            form = document.forms[0]
            assert form.method == "post", form
            if answer == "no":
                abort = next((link for link in document.links if link.endswith("/abort")), None)
                refused = abort is not None or form.asks_for_consent
                if abort is not None:
                    came = self.visit(urllib.parse.urljoin(came.url, abort))
                    continue
            self._fill_in(form, user_code, answer)
            came = self.visit(urllib.parse.urljoin(came.url, form.action), form.values)
        raise AssertionError(f"there is no end to the pages after {url}")

    def _fill_in(self, form: Form, user_code: str, answer: str) -> None:
        password, text = form.first("password"), form.first("text")
        if password is not None:
            assert text is not None, form
            form.values |= {text: self.name, password: self.password}
        elif text is not None:
            assert user_code, form
            form.values[text] = user_code
        elif form.asks_for_consent:
            button = "accept" if answer == "yes" else "cancel"
            form.values[button] = form.buttons[button]

    def deliver(self, url: str) -> Page:
        """Follows the last redirect, to the waiting program."""
        delivered = self.visit(url)
        assert isinstance(delivered, Page), delivered
        return delivered


def parameters(url: str) -> dict[str, str]:
    """The query of a URL, in which each parameter occurs once."""
    pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs), url
    return dict(pairs)
