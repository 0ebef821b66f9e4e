"""Runs the code blocks of the manual as a reader would: blocks.py [PAGE...].

A comment right before a block says what the block is:

    <!-- run -->              shell commands, run by bash in the page's directory; a block continues
                              where the last one ended, with its variables and its directory. A
                              block of Python or JavaScript is run as a program.
    <!-- run: 5 -->           the same, and it must end with the exit code 5
    <!-- run with: go -->     the same, if there is this command
    <!-- cell -->             a cell of a notebook: Python that continues after the last cell
    <!-- file: NAME -->       is written into the page's directory
    <!-- output -->           what the block before it printed, on both streams: each line is among
                              the printed lines, in this order; `...` matches any text
    <!-- simulator -->        the reader starts a shell in the simulator: the simulator is started,
                              and its environment is used
    <!-- prepared: WHY -->    the tests have done what this block does
    <!-- not run: WHY -->     cannot be run here

A block of code without such a comment is an error, so that nothing is left out by accident. Blocks
of `text` need none. In a page that starts no simulator the blocks ask Planet's real host names, and
a proxy leads them to the simulator. Device logins are approved by a user called ada.

Several pages run at the same time, each with its own directory and simulator.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "docs-test"
SIMULATOR = os.environ["PLANETKEY_SIMULATOR_BINARY"]
COMMENT = re.compile(r"^\s*<!-- (.*?) -->$")
FENCE = re.compile(r"^( *)(`{3,})(\S*)")
CODE = {
    "sh",
    "bash",
    "python",
    "py",
    "js",
    "mjs",
    "ts",
    "c",
    "cpp",
    "rust",
    "cmake",
    "r",
    "julia",
    "go",
    "java",
    "html",
}
PROGRAMS = {
    "python": ("program.py", ["python"]),
    "js": ("program.mjs", ["node"]),
    "mjs": ("program.mjs", ["node"]),
}
SECONDS = 300
# Pages wait for logins most of the time.
PAGES_AT_ONCE = 3


class Failure(Exception):
    """A block is not as it should be."""


@dataclass
class Block:
    line: int
    language: str
    text: str
    comment: str = ""


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    comment = ""
    current: Block | None = None
    fence = indent = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
        if current is not None:
            if line.strip() == fence:
                found.append(current)
                current = None
            else:
                current.text += line.removeprefix(indent) + "\n"
        elif opening := FENCE.match(line):
            indent, fence = opening[1], opening[2]
            current = Block(number, opening[3], "", comment)
            comment = ""
        elif match := COMMENT.match(line):
            comment = match[1]
        elif line.strip():
            comment = ""
    return found


@dataclass
class Page:
    """A page while it is run."""

    page: Path
    directory: Path
    environment: dict[str, str]
    output: str | None = ""
    cells: list[str] = field(default_factory=list)
    simulator: subprocess.Popen[str] | None = None
    control: str = ""
    done: threading.Event = field(default_factory=threading.Event)
    ran: int = 0
    groups: list[int] = field(default_factory=list)

    def start_simulator(self, *, real_names: bool) -> None:
        directory = self.directory / ".simulator"
        self.simulator = subprocess.Popen(
            [SIMULATOR, "--directory", str(directory), "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.simulator.stdout
        addresses = json.loads(self.simulator.stdout.readline())
        self.control = addresses["control"]
        self.ask("settings", {"device_interval": 1})
        self.execute(["bash", "-eu"], f". {shlex.quote(addresses['environment'])}\n", state=True)
        if real_names:
            ca = addresses["ca"]
            for name in ("PLANETKEY_DEPLOYMENT", "PLANETKEY_ALLOW_INSECURE_LOOPBACK"):
                del self.environment[name]
            self.environment |= {
                "https_proxy": addresses["proxy"],
                "HTTPS_PROXY": addresses["proxy"],
                "no_proxy": "127.0.0.1,localhost",
                "REQUESTS_CA_BUNDLE": ca,
                "CURL_CA_BUNDLE": ca,
                "SSL_CERT_FILE": ca,
                "NODE_EXTRA_CA_CERTS": ca,
            }
        threading.Thread(target=self.approve, daemon=True).start()

    def ask(self, path: str, body: object = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.control}/{path}", data, timeout=20) as response:
            return json.load(response)

    def approve(self) -> None:
        """Ada allows every device that asks."""
        while not self.done.wait(0.2):
            try:
                for device in self.ask("devices"):  # type: ignore[attr-defined]
                    if device["status"] == "pending":
                        self.ask("login", {"username": "ada", "user_code": device["user_code"]})
            except OSError:
                pass

    def execute(
        self, command: list[str], script: str, *, state: bool = False, code: int = 0
    ) -> str:
        """Runs a script; with `state` its variables and its directory go into the next one."""
        dump = self.directory / ".state"
        if state:
            # Variables of one block are there in the next one, exported or not.
            script = f"set -a\n{script}\npwd >{shlex.quote(str(dump))}.pwd\nenv -0 >{shlex.quote(str(dump))}\n"
        where = self.environment.get("PWD", str(self.directory))
        # A file and no pipe: what the block starts in the background may hold a pipe open.
        output = self.directory / ".output"
        with output.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                [*command, "-c", script] if state else command,
                cwd=where,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.groups.append(process.pid)
            ended = process.wait(SECONDS)
        printed = output.read_text(encoding="utf-8")
        if ended != code:
            raise Failure(f"ended with {ended} and said:\n{printed}")
        if state and code == 0:
            pairs = [one.partition("=") for one in dump.read_text().split("\0") if one]
            self.environment = {
                name: value for name, _, value in pairs if not name.startswith("BASH_FUNC")
            }
            self.environment["PWD"] = Path(f"{dump}.pwd").read_text().strip()
        return printed

    def run(self, block: Block) -> None:
        kind, _, detail = block.comment.partition(": ")
        if kind == "run" and block.language in ("sh", "bash"):
            self.output = self.execute(
                ["bash", "-eu"], block.text, state=True, code=int(detail or 0)
            )
        elif kind == "run with":
            if shutil.which(detail, path=self.environment["PATH"]):
                self.output = self.execute(["bash", "-eu"], block.text, state=True)
            else:
                self.output = None
                return
        elif kind == "run":
            name, command = PROGRAMS[block.language]
            file = Path(self.environment.get("PWD", self.directory)) / name
            file.write_text(block.text, encoding="utf-8")
            self.output = self.execute([*command, str(file)], "", code=int(detail or 0))
        elif kind == "cell":
            self.cells.append(block.text)
            mark = "-- the last cell --"
            program = "\n".join([*self.cells[:-1], f"print({mark!r}, flush=True)", self.cells[-1]])
            file = Path(self.environment.get("PWD", self.directory)) / "cells.py"
            file.write_text(program, encoding="utf-8")
            self.output = self.execute(["python", "-u", str(file)], "").partition(mark + "\n")[2]
        elif kind == "file":
            file = Path(self.environment.get("PWD", self.directory)) / detail
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
            return
        elif kind == "output":
            self.compare(block.text)
            return
        elif kind == "simulator":
            self.start_simulator(real_names=False)
            return
        elif kind in ("prepared", "not run") and detail:
            return
        elif block.language in CODE:
            raise Failure(f"says not what it is, only {block.comment!r}")
        else:
            return
        self.ran += 1

    def compare(self, wanted: str) -> None:
        if self.output is None:
            return
        printed = iter(self.output.split("\n"))
        for line in wanted.strip("\n").split("\n"):
            pattern = ".*".join(re.escape(part) for part in line.rstrip().split("..."))
            if not any(re.fullmatch(pattern, other.rstrip()) for other in printed):
                raise Failure(
                    f"the line {line!r} is not, or not in this order, in what was printed:\n{self.output}"
                )

    def finish(self) -> None:
        self.done.set()
        for group in self.groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        if self.simulator:
            assert self.simulator.stdin
            self.simulator.stdin.close()
            self.simulator.wait(20)


def environment(directory: Path) -> dict[str, str]:
    home = directory / ".home"
    home.mkdir()
    release = Path(SIMULATOR).parent
    python = WORK / "python" / "bin"
    return {
        "PATH": f"{python}:{release}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TMPDIR": str(directory),
        "PYTHONPYCACHEPREFIX": str(WORK.parent / "pycache"),
        "PKG_CONFIG_PATH": str(WORK / "prefix" / "lib" / "pkgconfig"),
        "LD_RUN_PATH": str(WORK / "prefix" / "lib"),
        # What needs the real home.
        "CARGO_HOME": os.environ.get("CARGO_HOME", str(Path.home() / ".cargo")),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
        "PLANETKEY_REPOSITORY": str(ROOT),
    }


def run(file: Path) -> tuple[int, list[str]]:
    name = str(file.relative_to(ROOT))
    found = blocks(file)
    directory = Path(tempfile.mkdtemp(prefix=file.stem + "-", dir=WORK))
    (directory / "node_modules").symlink_to(WORK / "node_modules")
    page = Page(file, directory, environment(directory))
    wrong = []
    try:
        if any(block.comment.startswith(("run", "cell")) for block in found) and not any(
            block.comment == "simulator" for block in found
        ):
            page.start_simulator(real_names=True)
        for block in found:
            try:
                page.run(block)
            except (Failure, subprocess.TimeoutExpired, OSError) as error:
                wrong.append(f"{name}:{block.line}: {error}")
                # What follows may rest on it.
                break
    finally:
        page.finish()
    if not wrong:
        shutil.rmtree(directory, ignore_errors=True)
    return page.ran, wrong


def main() -> None:
    outside = ("tests", "site", "project")
    pages = [Path(page).resolve() for page in sys.argv[1:]] or sorted(
        page for page in (ROOT / "docs").rglob("*.md") if page.parent.name not in outside
    ) + [ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md", ROOT / "SECURITY.md"]
    ran = 0
    wrong: list[str] = []
    with ThreadPoolExecutor(PAGES_AT_ONCE) as pool:
        for number, failures in pool.map(run, pages):
            ran += number
            wrong += failures
    for failure in wrong:
        print(failure, file=sys.stderr)
    print(f"{ran} passed, {len(wrong)} failed")
    sys.exit(bool(wrong))


main()
