"""storm SECONDS [CASE...]: eight programs in four languages request tokens while the server fails.

For each case it prints the number of requests to the token endpoint in the first minute and in
each further one. The exit code is 1 if there were more than 12 in the first or 4 in a further one.
A case is a fault, `:`, and `user` or `m2m`. Without a case, all run. In the case `refused` the
command only requests tokens, because it has no way to report a 401.
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from askers import Askers
from sessions import KINDS, expired_session
from simulator import Simulator, running_simulator

MINUTE_MS = 60_000
FIRST_MINUTE = 12
FURTHER_MINUTE = 4

HTML = (
    "<!DOCTYPE html><html><head><title>Sign in to the network</title></head>"
    "<body>Sign in.</body></html>"
)
# What the token endpoint does with every request. `refused`: it issues tokens that the API refuses
# with 401.
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "503": {"status": 503, "json": {"error": "temporarily_unavailable"}},
    "429": {"status": 429, "json": {"error": "too_many_requests"}},
    "html": {"status": 200, "headers": {"Content-Type": "text/html; charset=utf-8"}, "body": HTML},
    "reset": {"fault": "reset_after_read"},
    "refused": {},
}


def minutes(requests: list[Mapping[str, Any]]) -> list[int]:
    """The number of requests in each minute since the first. The last minute may be incomplete."""
    if not requests:
        return []
    start = requests[0]["at_ms"]
    numbers = [(request["at_ms"] - start) // MINUTE_MS for request in requests]
    return [numbers.count(number) for number in range(numbers[-1] + 1)]


def storm(case: str, seconds: float) -> list[int]:
    """Runs a case. Returns its requests by minute."""
    fault, kind = case.split(":")
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory, "home")
        home.mkdir(mode=0o700)
        with running_simulator(Path(directory), Simulator) as simulator:
            session = expired_session(kind, simulator, home, 0)
            if fault != "refused":
                simulator.script(session.target, FAULTS[fault], repeat=True)
            how = "refused" if fault == "refused" else "use"
            with Askers(session.url, session.environment, how=how) as askers:
                time.sleep(seconds)
                requests = simulator.requests(session.target)
        counts = minutes(requests)
        print(
            f"{case}: {counts[0] if counts else 0} requests in the first minute, then {counts[1:]}",
            flush=True,
        )
        for name, told in askers.told:
            print(
                f"    {name}: {told.tokens} tokens ({told.changes} new), "
                f"failures {dict(told.failures)}",
                flush=True,
            )
        return counts


def is_within(counts: list[int]) -> bool:
    return all(
        count <= (FURTHER_MINUTE if number else FIRST_MINUTE) for number, count in enumerate(counts)
    )


def main(seconds: float, cases: list[str]) -> int:
    everything = [f"{fault}:{kind}" for kind in KINDS for fault in FAULTS]
    unknown = set(cases) - set(everything)
    if unknown:
        print(
            f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(everything)}",
            file=sys.stderr,
        )
        return 2
    # One after the other, to measure planetkey and not the load of the host.
    outcomes = {case: storm(case, seconds) for case in cases or everything}
    too_many = [case for case, counts in outcomes.items() if not is_within(counts)]
    print(f"too many requests: {', '.join(too_many) if too_many else 'nowhere'}")
    return 1 if too_many else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
