"""log_in.py [browser|device]: logs a person in, where nobody is, and says who it is."""

import sys

import planetkey


def show(prompt: planetkey.Prompt) -> str | None:
    """Shows what the person must see; a window would show it with its own means."""
    print(prompt.message, flush=True)
    return input() if prompt.kind in ("paste", "other_user") else None


session = planetkey.Session.from_defaults()
try:
    # planetkey says which there are, where it is none of them.
    who = session.login(method=sys.argv[1] if len(sys.argv) > 1 else "auto", prompt=show)  # type: ignore[arg-type]
except planetkey.Error as error:
    sys.exit(f"{error.code}: {error}")
print("logged in as", who.subject)
