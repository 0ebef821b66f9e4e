"""asker URL one|each use|refused PAUSE_MS: requests headers in a loop until its input ends.

`each` opens a session for each header, `one` uses the first for all. `refused` plays an API that
responds with 401 to every token: it tells the session, and repeats once if the session says so. At
the end it prints its results.
"""

import json
import select
import sys
from collections import Counter
from collections.abc import Iterator

import planetkey

CHALLENGE = 'Bearer error="invalid_token"'


def sessions(each: bool) -> Iterator[planetkey.Session]:
    session = planetkey.Session.from_defaults()
    while True:
        yield session
        if each:
            session = planetkey.Session.from_defaults()


def main(url: str, each: bool, refused: bool, pause_s: float) -> None:
    tokens, changes, last = 0, 0, ""
    failures: Counter[str] = Counter()
    for session in sessions(each):
        try:
            for _ in range(2):
                authorization = session.authorize(url)
                token = authorization.access_token or ""
                tokens += 1
                changes += token != last
                last = token
                if not refused or session.after_response(authorization, 401, CHALLENGE) is None:
                    break
        except planetkey.Error as error:
            failures[error.code] += 1
        if select.select([0], [], [], pause_s)[0]:
            break
    print(json.dumps({"tokens": tokens, "changes": changes, "failures": failures}))


main(sys.argv[1], sys.argv[2] == "each", sys.argv[3] == "refused", int(sys.argv[4]) / 1000)
