"""Planet's SDK and planetkey on one session: which one sent which refresh token, and the result.

together [--seconds 60] [--metadata-delay 2500] [--sdk library|command] [--sdk-loops 2] [--alone]
         [--strict]
"""

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from askers import Askers, Program, Told
from both import LOGIN, PLANET_API, put, token_file
from simulator import REPOSITORY, Simulator, clean_environment, running_simulator

TOKEN_LIFE_S = 5
SDK_LOOPS = 2
PAUSE_MS = 100
# How Planet's SDK calls itself at the authorization server.
SDK = "python-requests/"
# The SDK takes no lock. Two loops of it send the same refresh token at the same time, and lose
# their session at a strict server also without planetkey (`together --alone --strict`). So the
# server lets the SDK repeat a token for this time.
SDK_OVERLAP_MS = 10_000
# For all others, also planetkey. Between the SDK's request and its new file, a used token cannot be
# recognized. Real servers accept simultaneous requests for longer.
OVERLAP_MS = 100
FORGIVING: Mapping[str, Any] = {
    "overlap_ms": OVERLAP_MS,
    "overlap_by_user_agent": {SDK: SDK_OVERLAP_MS},
}

Sender = Literal["planetkey", "SDK"]


@dataclass(frozen=True)
class Sent:
    """A refresh token on its way to the server."""

    sender: Sender
    at_ms: int
    # Whether the server gave a token for it.
    granted: bool


@dataclass(frozen=True)
class Outcome:
    """What the server saw."""

    # Every refresh token, and how it was sent.
    tokens: Mapping[str, list[Sent]]
    # How often metadata was fetched, which every refresh in a new process begins with.
    metadata: Counter[Sender]
    session: Mapping[str, Any]
    planetkey: list[tuple[str, Told]]
    sdk: list[tuple[str, Told]]

    def count(self, sender: Sender) -> int:
        """How often this program has sent a refresh token."""
        return sum(one.sender == sender for sent in self.tokens.values() for one in sent)

    def sent_twice(self, sender: Sender) -> int:
        """How many refresh tokens this program has sent more than once."""
        return sum(sum(one.sender == sender for one in sent) > 1 for sent in self.tokens.values())

    def late(self) -> list[int]:
        """Refresh tokens that planetkey sent after the SDK had used them up: so many ms later."""
        return [
            later.at_ms - first.at_ms
            for first, *others in self.tokens.values()
            for later in others
            if first.granted and (first.sender, later.sender) == ("SDK", "planetkey")
        ]

    def report(self) -> str:
        """All of it, as text."""
        session = self.session
        state = "alive" if session["active"] else f"revoked ({session['revoked']})"
        lines = [
            f"session {state}: {session['rotations']} rotations, {session['reuse']} tokens reused, "
            f"{session['repeats']} sent again and forgiven",
            f"planetkey sent {self.count('planetkey')} refresh tokens, "
            f"{self.sent_twice('planetkey')} of them twice, "
            f"{len(self.late())} after the SDK had used them up",
            f"the SDK sent {self.count('SDK')}, {self.sent_twice('SDK')} of them twice",
            f"planetkey fetched metadata {self.metadata['planetkey']} times, "
            f"the SDK {self.metadata['SDK']} times",
        ]
        if self.late():
            lines.append(f"planetkey was later than the SDK by {self.late()} ms")
        for name, told in [*self.planetkey, *self.sdk]:
            got = f"{told.tokens} tokens ({told.changes} new)"
            lines.append(f"    {name}: {got}, failures {dict(told.failures)}")
        return "\n".join(lines)


def sender(request: Mapping[str, Any]) -> Sender:
    """The sender of a request in the simulator's log."""
    agents = [value for name, value in request["headers"] if name.lower() == "user-agent"]
    return "SDK" if any(agent.startswith(SDK) for agent in agents) else "planetkey"


def together(
    simulator: Simulator,
    home: Path,
    environment: Mapping[str, str],
    until: Callable[[], object],
    *,
    metadata_delay_ms: int,
    sdk: str = "library",
    sdk_loops: int = SDK_LOOPS,
    with_planetkey: bool = True,
    strict: bool = False,
) -> Outcome:
    """Runs loops of the SDK and eight programs that use planetkey on one session.

    They end when `until` returns.
    """
    simulator.settings(token_lifetime=TOKEN_LIFE_S, **({} if strict else FORGIVING))
    simulator.script("user.metadata", {"delay_ms": metadata_delay_ms}, repeat=True)
    tokens = simulator.seed(issuer=LOGIN, lifetime=TOKEN_LIFE_S)
    put(token_file(home), tokens)
    program = Path(__file__).with_name("sdk_printing.py")
    line: list[str | Path] = [sys.executable, program, sdk, str(PAUSE_MS)]
    # What it shares with the tests imports the driver of the simulator.
    modules = str(REPOSITORY / "tests" / "processes")
    sdk_environment = {**environment, "PYTHONPATH": modules}
    askers = None
    programs: list[Program] = []
    with ExitStack() as stack:
        for _ in range(sdk_loops):
            programs.append(Program(line, sdk_environment))
            stack.callback(programs[-1].close)
        if with_planetkey:
            askers = stack.enter_context(Askers(PLANET_API, environment, pause_ms=PAUSE_MS))
        until()
        tokens_sent: dict[str, list[Sent]] = defaultdict(list)
    for request in simulator.requests("user.token"):
        refresh_token = dict(request["form"])["refresh_token"]
        tokens_sent[refresh_token].append(
            Sent(sender(request), request["at_ms"], request["status"] == 200)
        )
    return Outcome(
        tokens_sent,
        Counter(sender(request) for request in simulator.requests("user.metadata")),
        simulator.session_of(tokens["refresh_token"]),
        askers.told if askers else [],
        [(f"SDK, {sdk}", program.told()) for program in programs],
    )


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--metadata-delay", type=int, default=2500, help="milliseconds")
    arguments.add_argument("--sdk", choices=("library", "command"), default="library")
    arguments.add_argument("--sdk-loops", type=int, default=SDK_LOOPS)
    arguments.add_argument("--alone", action="store_true", help="without planetkey")
    arguments.add_argument(
        "--strict", action="store_true", help="every repetition revokes the session"
    )
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory, "home")
        home.mkdir(mode=0o700)
        with running_simulator(Path(directory), Simulator) as simulator:
            environment = clean_environment(home) | {
                "HTTPS_PROXY": simulator.proxy,
                "SSL_CERT_FILE": str(simulator.ca),
                "REQUESTS_CA_BUNDLE": str(simulator.ca),
            }
            outcome = together(
                simulator,
                home,
                environment,
                lambda: time.sleep(options.seconds),
                metadata_delay_ms=options.metadata_delay,
                sdk=options.sdk,
                sdk_loops=options.sdk_loops,
                with_planetkey=not options.alone,
                strict=options.strict,
            )
    print(outcome.report())
    return 0 if outcome.session["active"] and not outcome.sent_twice("planetkey") else 1


if __name__ == "__main__":
    sys.exit(main())
