"""A PostgreSQL server of an ordinary user in a temporary directory, and the code of the manual."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "how-to" / "postgresql-storage.md"
NOBODY = 65534


def programs() -> Path | None:
    """The directory of the server's programs, which Debian does not put in the path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def files_of_page() -> dict[str, str]:
    """The files that the page of the manual shows."""
    block = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
    return dict(block.findall(PAGE.read_text(encoding="utf-8")))


@contextmanager
def running_server() -> Iterator[str]:
    """Starts a server and creates the table; yields how to connect to it."""
    directory = Path(tempfile.mkdtemp(prefix="planetkey-postgresql-"))
    bin_directory = programs()
    assert bin_directory is not None
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None:
        # PostgreSQL refuses to run as root.
        os.chown(directory, user, -1)

    def run(name: str, *arguments: str) -> None:
        command = [str(bin_directory / name), *arguments]
        done = subprocess.run(
            command, user=user, cwd=directory, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data, log = directory / "data", directory / "log"
    run("initdb", "-D", str(data), "-U", "planetkey", "--auth=trust", "--no-sync")
    options = f"-k {directory} -c listen_addresses= -c fsync=off"
    run("pg_ctl", "-D", str(data), "-l", str(log), "-o", options, "-w", "start")
    try:
        yield f"host={directory} user=planetkey dbname=postgres"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(directory)
