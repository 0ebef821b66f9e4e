"""A session as the ``auth`` of an HTTP client: what one request gets, and what follows when an API refuses it."""

from __future__ import annotations

import sys

from planetkey.errors import HostRefused, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from planetkey import Authorization, Session

_BASES = (("httpx", "Auth"), ("requests.auth", "AuthBase"))
_classes: dict[tuple[type, ...], type] = {}


def class_of(session_type: type) -> type:
    """What ``session.__class__`` is: a class that is also an ``httpx.Auth`` and an ``AuthBase``, of what is imported.

    A session does all that those two do, and ``isinstance`` goes by ``__class__`` where the type alone does not do. A
    real base class would have to import both with every ``import planetkey``.
    """
    found = (getattr(sys.modules.get(module), name, None) for module, name in _BASES)
    bases = tuple(base for base in found if base is not None)
    if not bases:
        return session_type
    if bases not in _classes:
        members = {"__module__": "planetkey", "__doc__": session_type.__doc__}
        _classes[bases] = type(session_type.__name__, (session_type, *bases), members)
    return _classes[bases]


def call(session: Session, request: Any) -> Any:  # noqa: ANN401
    """What ``session(request)`` does."""
    if "requests" in sys.modules:
        import requests

        from planetkey import _requests

        if isinstance(request, requests.PreparedRequest):
            return _requests.authorize(session, request)
        if isinstance(request, requests.Request):
            return _requests.modify(session, request)
    if "httpx" in sys.modules:
        import httpx

        from planetkey import _httpx

        if isinstance(request, httpx.Request):
            _httpx.put(request, session.authorize(str(request.url)))
            return request
    raise TypeError(f"a planetkey.Session is called with a request of requests or httpx, not {type(request).__name__}")


def put(headers: MutableMapping[str, Any], authorization: Authorization) -> None:
    """Makes this authorization the only one of a request; its URL is the caller's to set."""
    if "Authorization" in headers:
        del headers["Authorization"]
    headers.update(authorization.headers)


def offer(session: Session, url: str) -> Authorization | None:
    """What a request to this URL gets; None where nothing of this session may go."""
    try:
        return session.authorize(url)
    except (HostRefused, InvalidArgument):
        return None
    finally:
        # It may hold an API key, and an exception keeps the locals of its frames: see `again`.
        del url


def again(
    session: Session,
    before: Authorization,
    url: str,
    sent: str | None,
    challenge: str | None,
    *,
    is_repeatable: bool,
) -> Authorization | None:
    """What to repeat a request with that was answered 401; None where that answer stands.

    ``before`` is what the first request got, ``sent`` the ``Authorization`` that was answered so at ``url``: after a
    redirect to another host it is not ours any more, nor where ``requests`` took it from ``.netrc``. A key that travels
    in the URL is lost with every redirect.

    An exception keeps the locals of its frames, and reports of errors show them. So no token and no key stays in one.
    """
    try:
        if (
            sent is not None
            and sent == before.headers.get("Authorization")
            and (before.access_token is None or not session.should_retry(before.access_token, 401, challenge))
        ):
            return None
        authorization = offer(session, url) if is_repeatable else None
        if authorization is None or (authorization.url, authorization.headers.get("Authorization")) == (url, sent):
            # The very same was refused just now.
            return None
        return authorization
    finally:
        del sent, url
