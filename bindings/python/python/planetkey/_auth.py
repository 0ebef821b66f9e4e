"""A session as the ``auth`` of an HTTP client: what one request gets, and what follows when an API refuses it."""

from __future__ import annotations

from planetkey.errors import HostRefusedError, InvalidArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from planetkey._native import Authorization, Session


def put(headers: MutableMapping[str, Any], authorization: Authorization) -> None:
    """Makes this authorization the only one of a request; its URL is the caller's to set."""
    if "Authorization" in headers:
        del headers["Authorization"]
    headers.update(authorization.headers)


def offer(session: Session, url: str) -> Authorization | None:
    """What a request to this URL gets; None where nothing of this session may go."""
    try:
        return session.authorize(url)
    except (HostRefusedError, InvalidArgumentError):
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
            and (
                before.access_token is None
                or not session.should_retry(before.access_token, 401, challenge)
            )
        ):
            return None
        authorization = offer(session, url) if is_repeatable else None
        if authorization is None or (
            authorization.url,
            authorization.headers.get("Authorization"),
        ) == (url, sent):
            # The very same was refused just now.
            return None
        return authorization
    finally:
        del sent, url
