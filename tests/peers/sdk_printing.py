"""sdk_printing library|command PAUSE_MS: Planet's SDK prints an access token, over and over.

`library`: one session of the SDK in one process, which makes a request with each token. `command`:
`planet auth print-access-token`, each time in a new process, which need not import it. It ends with
its input, and tells what it got in the form of `asker`.
"""

import json
import os
import select
import sys
from collections import Counter
from collections.abc import Callable

import httpx
import planet
from planet.cli.cli import main as planet_command

from both import PLANET_API


class FailedError(Exception):
    """The error that the SDK got instead of a token that the API accepts."""


def library() -> Callable[[], str]:
    client = httpx.Client(auth=planet.Auth.from_user_default_session())

    def token() -> str:
        response = client.get(PLANET_API)
        if response.status_code != 200:
            raise FailedError(str(response.status_code))
        return response.request.headers["Authorization"].removeprefix("Bearer ")

    return token


def command() -> Callable[[], str]:
    def token() -> str:
        output, into = os.pipe()
        if (child := os.fork()) == 0:
            os.dup2(into, 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            sys.argv = ["planet", "auth", "print-access-token"]
            sys.exit(planet_command())
        os.close(into)
        with os.fdopen(output) as printed:
            line = printed.read().strip()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != 0:
            raise FailedError(f"exit code {code}")
        return line

    return token


def main(how: str, pause_s: float) -> None:
    token = library() if how == "library" else command()
    tokens, changes, last = 0, 0, ""
    failures: Counter[str] = Counter()
    while not select.select([0], [], [], pause_s)[0]:
        try:
            now = token()
        except FailedError as failure:
            failures[str(failure)] += 1
            continue
        tokens += 1
        changes += now != last
        last = now
    print(json.dumps({"tokens": tokens, "changes": changes, "failures": failures}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) / 1000)
