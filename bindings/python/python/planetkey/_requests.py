"""A session as the ``auth`` of ``requests``.

An exception refers to the locals of its frames, and error reports show them. So no token and no
URL with a key is a local here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from planetkey import _auth

if TYPE_CHECKING:
    from typing import Any

    from requests import PreparedRequest, Request, Response

    from planetkey._native import Authorization, Session


def authorize(session: Session, request: PreparedRequest) -> PreparedRequest:
    """Put the credential on a prepared request, and look at its responses."""
    _put(request, session.authorize(request.url or ""))
    register: Any = request.register_hook
    register("response", _Hook(session))
    return request


def modify(session: Session, request: Request) -> Request:
    """Make the session the ``auth`` of a request, if it is to a host of the session."""
    if session._is_served(str(request.url)):
        request.auth = session
    return request


def _put(request: PreparedRequest, authorization: Authorization) -> None:
    request.url = authorization.url
    _auth.put(request.headers, authorization)


def _is_in_memory(body: object) -> bool:
    return body is None or isinstance(body, (bytes, str))


def _is_repeatable(request: PreparedRequest) -> bool:
    """Return whether the body can be sent again: from memory, or from a file that can seek."""
    # `requests` sets it for its own redirects.
    position = getattr(request, "_body_position", None)
    is_file = hasattr(request.body, "seek") and isinstance(position, int)
    return _is_in_memory(request.body) or is_file


def _rewind(request: PreparedRequest) -> bool:
    """Rewind a body that is a file; return False if that is impossible."""
    if _is_in_memory(request.body):
        return True
    file: Any = request
    try:
        file.body.seek(file._body_position)
    except (OSError, ValueError):
        # It cannot seek, or it is closed.
        return False
    return True


class _Hook:
    """Look at the responses to one request, and to those that it is redirected to."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, response: Response, **kwargs: Any) -> Response:  # noqa: ANN401
        request: Any = response.request
        try:
            repeat = self._session._after_api_response(
                request.url,
                request.headers.get("Authorization"),
                response.status_code,
                response.headers.get("WWW-Authenticate"),
                _is_repeatable(request),
            )
            if repeat is None or not _rewind(request):
                return response
            # Read and released, so that the connection serves the repeated request.
            response.content  # noqa: B018
        except BaseException:
            # The caller does not get the response, which has a connection of the pool.
            response.close()
            raise
        response.close()
        _put(request, repeat)
        repeated: Response = response.connection.send(request, **kwargs)
        repeated.history.append(response)
        return repeated

    def __reduce__(self) -> tuple[Any, ...]:
        # A response is pickled with its request, which has finished.
        return _Finished, ()


class _Finished:
    """The hook of a request that was pickled."""

    def __call__(self, response: Response, **_: object) -> Response:
        return response
