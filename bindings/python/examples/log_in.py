"""log_in.py [browser|device]: log a user in, if that is necessary, and print who it is."""

import sys
from typing import Any

import planetkey


def show(prompt: planetkey.Prompt) -> str | None:
    """Show the prompt to the user. A program with a window shows it there."""
    print(prompt.message, flush=True)
    return input() if prompt.kind in ("paste", "other_user") else None


session = planetkey.Session.from_defaults()
try:
    # planetkey lists the methods if this is none of them.
    method: Any = sys.argv[1] if len(sys.argv) > 1 else "auto"
    result = session.login(method=method, prompt=show)
except planetkey.Error as error:
    sys.exit(f"{error.code}: {error}")
print("logged in as", result.subject)
