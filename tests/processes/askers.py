"""Programs in four languages that share a session and request headers in a loop."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

from crowd import HERE, PATIENCE_S, WORK
from simulator import command

How = Literal["use", "refused"]

# Two programs in each language. The command always opens a new session.
KINDS = (
    *((language, sessions) for language in ("python", "c", "node") for sessions in ("one", "each")),
    ("command", "each"),
    ("command", "each"),
)


@dataclass
class Told:
    """The results of one program."""

    tokens: int = 0
    changes: int = 0
    failures: Counter[str] = field(default_factory=Counter)


class Commands:
    """The command in a loop: one process for each header."""

    def __init__(self, url: str, environment: Mapping[str, str], pause_s: float) -> None:
        self._line = [command(), "header", url]
        self._environment = environment
        self._pause_s = pause_s
        self._told = Told()
        self._last = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            finished = subprocess.run(
                self._line,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            if finished.returncode == 0:
                self._told.tokens += 1
                self._told.changes += finished.stdout != self._last
                self._last = finished.stdout
            else:
                # planetkey: UNAVAILABLE: ...
                words = finished.stderr.split(":")
                self._told.failures[
                    words[1].strip() if len(words) > 1 else str(finished.returncode)
                ] += 1
            if self._stopped.wait(self._pause_s):
                return

    def close(self) -> None:
        self._stopped.set()

    def told(self) -> Told:
        self._thread.join()
        return self._told


class Program:
    """A program that ends when its input closes."""

    def __init__(self, line: list[str | Path], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def told(self) -> Told:
        assert self._process.stdout is not None
        try:
            with self._process.stdout as output:
                told = json.loads(output.read())
            assert self._process.wait(PATIENCE_S) == 0
        finally:
            self._process.kill()
            self._process.wait()
        return Told(told["tokens"], told["changes"], Counter(told["failures"]))


class Askers:
    """Runs all programs for the time of the block. Afterwards `told` holds the results."""

    def __init__(
        self, url: str, environment: Mapping[str, str], *, how: How = "use", pause_ms: int = 100
    ) -> None:
        self.told: list[tuple[str, Told]] = []
        self._running: list[tuple[str, Commands | Program]] = []
        lines: dict[str, list[str | Path]] = {
            "c": [WORK / "asker"],
            # Python imports only the installed package.
            "python": [sys.executable, "-I", HERE / "asker.py"],
            "node": ["node", WORK / "asker.mjs"],
        }
        for language, sessions in KINDS:
            program = (
                Commands(url, environment, pause_ms / 1000)
                if language == "command"
                else Program([*lines[language], url, sessions, how, str(pause_ms)], environment)
            )
            self._running.append((f"{language}, {sessions}", program))

    def __enter__(self) -> "Askers":  # noqa: PYI034 - Self is not there before 3.11
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for _name, program in self._running:
            program.close()
        self.told = [(name, program.told()) for name, program in self._running]
