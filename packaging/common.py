"""What the scripts beside it share: names, targets, the version, and archives with stable bytes."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "build" / "packages" / "tools"
# The tests make packages in directories of their own.
WORK = Path(os.environ.get("PLANETKEY_PACKAGES", ROOT / "build" / "packages"))
DIST = Path(os.environ.get("PLANETKEY_DIST", ROOT / "build" / "dist"))
NODE = ROOT / "bindings" / "node"
PYTHON = ROOT / "bindings" / "python"
LICENCES = ("LICENSE-APACHE", "LICENSE-MIT")
THIRD_PARTY = "THIRD-PARTY-LICENSES.txt"
# What a release contains for Linux, by the name of the file that Cargo builds.
ARTIFACTS = {
    "libplanetkey_ffi.so": "planetkey-ffi",
    "planetkey": "planetkey-cli",
    "planetkey-simulator": "planetkey-simulator",
    "libplanetkey_python.so": "planetkey-python",
    "libplanetkey_node.so": "planetkey-node",
}
WINDOWS_ARTIFACTS = {
    "planetkey.dll": "planetkey-ffi",
    "planetkey.exe": "planetkey-cli",
}


@dataclass(frozen=True)
class Target:
    """A platform, with the name that each kind of package has for it."""

    name: str
    rust: str
    # Empty where there is no such package.
    wheel: str = ""
    npm: str = ""
    npm_cpu: str = ""
    npm_libc: str = ""
    debian: str = ""
    multiarch: str = ""

    @property
    def windows(self) -> bool:
        return "-windows-" in self.name

    @property
    def artifacts(self) -> dict[str, str]:
        """What is built for the target: the package of the workspace by the name of the file."""
        return WINDOWS_ARTIFACTS if self.windows else ARTIFACTS


TARGETS = {
    target.name: target
    for target in (
        Target(
            "x86_64-linux-gnu",
            "x86_64-unknown-linux-gnu",
            "manylinux_2_17_x86_64.manylinux2014_x86_64",
            "linux-x64-gnu",
            "x64",
            "glibc",
            "amd64",
            "x86_64-linux-gnu",
        ),
        Target(
            "aarch64-linux-gnu",
            "aarch64-unknown-linux-gnu",
            "manylinux_2_17_aarch64.manylinux2014_aarch64",
            "linux-arm64-gnu",
            "arm64",
            "glibc",
            "arm64",
            "aarch64-linux-gnu",
        ),
        Target(
            "x86_64-linux-musl",
            "x86_64-unknown-linux-musl",
            "musllinux_1_2_x86_64",
            "linux-x64-musl",
            "x64",
            "musl",
        ),
        Target(
            "aarch64-linux-musl",
            "aarch64-unknown-linux-musl",
            "musllinux_1_2_aarch64",
            "linux-arm64-musl",
            "arm64",
            "musl",
        ),
        # A preview: the command and the library for C.
        Target("x86_64-windows-gnu", "x86_64-pc-windows-gnu"),
    )
}


@cache
def version() -> str:
    """The version of everything, from [workspace.package] of Cargo.toml."""
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    found = re.search(r'^\[workspace\.package\]\nversion = "(.+)"$', manifest, re.MULTILINE)
    if found is None:
        raise SystemExit("Cargo.toml: [workspace.package] does not begin with the version")
    return found[1]


@cache
def epoch() -> int:
    """The time of every file in a package: SOURCE_DATE_EPOCH, else that of the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise SystemExit("set SOURCE_DATE_EPOCH: this is no git repository")
    return int(found.stdout)


def built(target: Target) -> Path:
    """The directory with the stripped files of a target, which packaging/build filled."""
    return WORK / "built" / target.name


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Runs a command that must succeed, and returns its output."""
    variables = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch()), **environment}
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stdout + done.stderr
        raise SystemExit(f"{words[0]} ended with {done.returncode}: {' '.join(words)}\n{said}")
    return done.stdout


@cache
def metadata(platform: str) -> dict:
    """What `cargo metadata` says about the dependencies on a platform."""
    command = (
        "cargo",
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        platform,
    )
    return json.loads(run(*command, cwd=ROOT))


def dependencies(
    platform: str, roots: tuple[str, ...]
) -> tuple[dict[str, dict], dict[str, list[str]]]:
    """The crates that are compiled into these packages of the workspace, and what each uses.

    Build scripts and what only they use, tests and workspace-hack are left out.
    """
    found = metadata(platform)
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    members = set(found["workspace_members"])
    coming = [name for name in members if packages[name]["name"] in roots]
    edges: dict[str, list[str]] = {}
    while coming:
        name = coming.pop()
        if name in edges:
            continue
        edges[name] = sorted(
            dependency["pkg"]
            for dependency in nodes[name]["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
            and packages[dependency["pkg"]]["name"] != "workspace-hack"
        )
        coming += edges[name]
    return {name: packages[name] for name in edges}, edges


def documents(target: Target, files: tuple[str, ...]) -> dict[str, Path]:
    """Licences, change log, and the bills of materials of these files, by their names."""
    found = {name: ROOT / name for name in (*LICENCES, "CHANGELOG.md")}
    found[THIRD_PARTY] = WORK / THIRD_PARTY
    for file in files:
        found[f"{file}.cdx.json"] = built(target) / f"{file}.cdx.json"
    return found


def write_tar_gz(archive: Path, directory: Path, prefix: str) -> None:
    """Packs a directory, so that the same files give the same bytes."""

    def normal(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = epoch()
        if not entry.issym():
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in [directory, *sorted(directory.rglob("*"))]:
            name = str(Path(prefix) / path.relative_to(directory))
            tar.add(path, name, recursive=False, filter=normal)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with archive.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=epoch()) as packed:
        packed.write(data.getvalue())


def write_zip(archive: Path, files: dict[str, bytes]) -> None:
    """Packs files by their names, so that the same files give the same bytes."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    # 1 January 1980, the earliest date that a zip can hold.
    moment = time.gmtime(max(epoch(), 315532800))[:6]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            program = name.endswith((".so", ".exe", ".dll"))
            entry.external_attr = (0o100755 if program else 0o100644) << 16
            packed.writestr(entry, data)


def named_targets() -> list[Target]:
    """The targets that the arguments name; all without arguments."""
    unknown = [name for name in sys.argv[1:] if name not in TARGETS]
    if unknown:
        raise SystemExit(f"unknown target {unknown[0]}; there are {', '.join(TARGETS)}")
    return [TARGETS[name] for name in sys.argv[1:] or TARGETS]
