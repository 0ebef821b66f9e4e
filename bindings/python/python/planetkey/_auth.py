"""What the adapters of HTTP clients have in common."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from planetkey._native import Authorization


def put(headers: MutableMapping[str, Any], authorization: Authorization) -> None:
    """Make this authorization the only one of a request. The caller sets the URL."""
    if "Authorization" in headers:
        del headers["Authorization"]
    headers.update(authorization.headers)
