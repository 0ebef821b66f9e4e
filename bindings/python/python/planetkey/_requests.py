"""A session as the ``auth`` of ``requests``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planetkey import _auth
from planetkey.errors import HostRefusedError, InvalidArgumentError

if TYPE_CHECKING:
    from typing import Any

    from requests import PreparedRequest, Request, Response

    from planetkey._native import Authorization, Session


def authorize(session: Session, request: PreparedRequest) -> PreparedRequest:
    """Puts the credential on a request that is about to be sent, and looks at what it is answered."""
    authorization = session.authorize(request.url or "")
    _put(request, authorization)
    register: Any = request.register_hook
    register("response", _Hook(session, authorization))
    return request


def modify(session: Session, request: Request) -> Request:
    """Has the session authorize a request once it is prepared; one to a host that is not ours stays as it is."""
    try:
        session.authorize_cached(str(request.url))
    except (HostRefusedError, InvalidArgumentError):
        return request
    request.auth = session
    return request


def _put(request: PreparedRequest, authorization: Authorization) -> None:
    request.url = authorization.url
    _auth.put(request.headers, authorization)


def _is_in_memory(body: object) -> bool:
    return body is None or isinstance(body, (bytes, str))


def _is_repeatable(request: PreparedRequest) -> bool:
    """Whether there is a body to send again, or a file that may be rewound."""
    # Where `requests` found the file, for its own redirects.
    position = getattr(request, "_body_position", None)
    return _is_in_memory(request.body) or (
        hasattr(request.body, "seek") and isinstance(position, int)
    )


def _rewind(request: PreparedRequest) -> bool:
    """Whether the body, where it is a file, stands at its beginning again."""
    if _is_in_memory(request.body):
        return True
    file: Any = request
    try:
        file.body.seek(file._body_position)
    except (OSError, ValueError):
        # It cannot, or it is closed.
        return False
    return True


class _Hook:
    """What looks at the answers to one request and to those that it is redirected to."""

    def __init__(self, session: Session, before: Authorization) -> None:
        self._session = session
        self._before = before

    def __call__(self, response: Response, **kwargs: Any) -> Response:  # noqa: ANN401
        if response.status_code != 401:
            return response
        request: Any = response.request
        try:
            authorization = _auth.again(
                self._session,
                self._before,
                request.url,
                request.headers.get("Authorization"),
                response.headers.get("WWW-Authenticate"),
                is_repeatable=_is_repeatable(request),
            )
            if authorization is None or not _rewind(request):
                return response
            # Read and released, so that the connection serves the repeated request.
            response.content  # noqa: B018
        except BaseException:
            # Nobody gets it to close, and it has a connection of the pool.
            response.close()
            raise
        response.close()
        self._before = authorization
        _put(request, authorization)
        repeated: Response = response.connection.send(request, **kwargs)
        repeated.history.append(response)
        return repeated

    def __reduce__(self) -> tuple[Any, ...]:
        # A response is pickled with its request: that one is over.
        return _Ended, ()


class _Ended:
    """The hook of a request that was pickled."""

    def __call__(self, response: Response, **_: object) -> Response:
        return response
