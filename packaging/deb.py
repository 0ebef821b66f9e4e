#!/usr/bin/env python3
"""Makes the Debian packages of the targets for glibc: deb.py [TARGET...]

libplanetkey0 is the shared library, libplanetkey-dev what compiling against it needs, planetkey the
command. They fit Debian 11 and later, and what is derived from it.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import time
from email.utils import formatdate
from pathlib import Path

from common import (
    DIST,
    LICENCES,
    ROOT,
    THIRD_PARTY,
    WORK,
    Target,
    built,
    epoch,
    named_targets,
    run,
    version,
)

# The number after the dash counts packages of one version.
REVISION = 1
MAINTAINER = "planetkey maintainers <planetkey@users.noreply.github.com>"
LIBRARY = "libplanetkey_ffi.so"
SUMMARY = "authentication to the Planet Insights Platform"
ABOUT = """\
 planetkey gives programs the right API key or OAuth 2.0 access token for
 each request to the Planet Insights Platform. It logs users in, refreshes
 tokens, and shares them between processes and with Planet's own SDK.
"""


def package_version() -> str:
    return f"{version()}-{REVISION}"


def needed_libc(target: Target, file: str) -> str:
    """The oldest glibc that has every symbol a file uses."""
    symbols = run("objdump", "-T", built(target) / file)
    versions = {
        tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([\d.]+)", symbols)
    }
    return ".".join(map(str, max(versions)))


def exported(target: Target) -> list[str]:
    """The functions of the library."""
    header = (ROOT / "include" / "planetkey.h").read_text(encoding="utf-8")
    names = sorted(set(re.findall(r"\b(planetkey_\w+)\(", header)))
    symbols = run("nm", "-D", "--defined-only", built(target) / LIBRARY)
    library = {line.split()[-1] for line in symbols.splitlines()}
    return [name for name in names if name in library]


class Package:
    """One binary package, in a directory of its own."""

    def __init__(self, target: Target, name: str, fields: str, about: str) -> None:
        self.target, self.name, self.fields, self.about = target, name, fields, about
        self.root = WORK / "deb" / target.name / name
        shutil.rmtree(self.root, ignore_errors=True)
        self.control = self.root / "DEBIAN"
        self.control.mkdir(parents=True)
        self.documents = self.root / "usr" / "share" / "doc" / name
        self.documents.mkdir(parents=True)

    def take(self, staged: Path, *patterns: str) -> None:
        """Copies files from the directory of `ffi/install`."""
        for pattern in patterns:
            found = sorted(staged.glob(pattern))
            if not found:
                raise SystemExit(f"{self.name}: there is no {pattern}")
            for path in found:
                copy = self.root / path.relative_to(staged)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, copy, follow_symlinks=False)

    def document(self, bills: tuple[str, ...]) -> None:
        """The files that Debian wants in each package."""
        moment = formatdate(epoch())
        entry = (
            f"planetkey ({package_version()}) unstable; urgency=medium\n\n"
            f"  * Version {version()}; see CHANGELOG.md.gz.\n\n"
            f" -- {MAINTAINER}  {moment}\n"
        )
        self.compress("changelog.Debian.gz", entry.encode())
        self.compress("changelog.gz", (ROOT / "CHANGELOG.md").read_bytes())
        self.compress(f"{THIRD_PARTY}.gz", (WORK / THIRD_PARTY).read_bytes())
        for file in bills:
            self.compress(
                f"{file}.cdx.json.gz", (built(self.target) / f"{file}.cdx.json").read_bytes()
            )
        (self.documents / "copyright").write_text(copyright_file(), encoding="utf-8")

    def compress(self, name: str, data: bytes) -> None:
        path = self.documents / name
        path.write_bytes(gzip.compress(data, 9, mtime=0))

    def build(self) -> None:
        files = [path for path in sorted(self.root.rglob("*")) if self.control not in path.parents]
        contents = [path for path in files if path.is_file() and not path.is_symlink()]
        size = sum((path.stat().st_size + 1023) // 1024 for path in contents)
        sums = [
            f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(self.root)}\n"
            for path in contents
        ]
        (self.control / "md5sums").write_text("".join(sums), encoding="utf-8")
        (self.control / "control").write_text(
            f"Package: {self.name}\nSource: planetkey\nVersion: {package_version()}\n"
            f"Architecture: {self.target.debian}\nMaintainer: {MAINTAINER}\n"
            f"Installed-Size: {size}\n{self.fields}Priority: optional\n"
            f"Description: {SUMMARY}{self.about}",
            encoding="utf-8",
        )
        for path in [self.root, *self.root.rglob("*")]:
            if not path.is_symlink():
                program = path.is_dir() or path.parent.name == "bin"
                path.chmod(0o755 if program else 0o644)
            os.utime(path, (epoch(), epoch()), follow_symlinks=False)
        DIST.mkdir(parents=True, exist_ok=True)
        archive = DIST / f"{self.name}_{package_version()}_{self.target.debian}.deb"
        run(
            "dpkg-deb",
            "--root-owner-group",
            "-Zxz",
            "--threads-max=1",
            "--build",
            self.root,
            archive,
        )


def copyright_file() -> str:
    year = time.gmtime(epoch()).tm_year
    licence = (ROOT / LICENCES[1]).read_text(encoding="utf-8").strip()
    _, _, terms = licence.partition("Permission is")
    lines = ("Permission is" + terms).splitlines()
    return (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "Upstream-Name: planetkey\n"
        "Comment: The files contain software of others, which is listed with its licences in\n"
        f" {THIRD_PARTY}.gz beside this file.\n\n"
        f"Files: *\nCopyright: {year} the planetkey contributors\nLicense: Apache-2.0 or Expat\n\n"
        "License: Apache-2.0\n On Debian systems the text is in\n"
        " /usr/share/common-licenses/Apache-2.0.\n\n"
        "License: Expat\n" + "".join(f" {line.strip() or '.'}\n" for line in lines)
    )


def shared_library(target: Target, staged: Path) -> None:
    libc = needed_libc(target, LIBRARY)
    package = Package(
        target,
        "libplanetkey0",
        f"Section: libs\nMulti-Arch: same\nDepends: libc6 (>= {libc})\n"
        "Recommends: ca-certificates\n",
        f" - shared library\n{ABOUT} .\n This package contains the shared library for C and C++.\n",
    )
    package.take(staged, f"usr/lib/{target.multiarch}/libplanetkey.so.*")
    package.document((LIBRARY,))
    names = "".join(f" {name}@Base {version()}\n" for name in exported(target))
    (package.control / "symbols").write_text(f"libplanetkey.so.0 libplanetkey0 #MINVER#\n{names}")
    (package.control / "shlibs").write_text(f"libplanetkey 0 libplanetkey0 (>= {version()})\n")
    (package.control / "triggers").write_text("activate-noawait ldconfig\n")
    package.build()


def development(target: Target, staged: Path) -> None:
    package = Package(
        target,
        "libplanetkey-dev",
        f"Section: libdevel\nMulti-Arch: same\nDepends: libplanetkey0 (= {package_version()})\n",
        f" - development files\n{ABOUT} .\n This package contains the headers, the static library,"
        " and the files for\n pkg-config and CMake.\n",
    )
    directory = f"usr/lib/{target.multiarch}"
    package.take(
        staged,
        "usr/include/planetkey.h*",
        *(f"{directory}/libplanetkey.so", f"{directory}/libplanetkey.a"),
        *(f"{directory}/pkgconfig/*", f"{directory}/cmake/planetkey/*"),
    )
    package.document((LIBRARY,))
    examples = package.documents / "examples"
    shutil.copytree(ROOT / "ffi" / "examples", examples)
    package.build()


def command(target: Target, staged: Path) -> None:
    package = Package(
        target,
        "planetkey",
        f"Section: utils\nDepends: libc6 (>= {needed_libc(target, 'planetkey')})\n"
        "Recommends: ca-certificates\n",
        f" - command\n{ABOUT} .\n This package contains the command planetkey.\n",
    )
    package.take(staged, "usr/bin/planetkey")
    package.document(("planetkey",))
    pages = WORK / "pages"
    shutil.copytree(pages, package.root / "usr" / "share", dirs_exist_ok=True)
    # Debian has its own places for these two.
    share = package.root / "usr" / "share"
    (share / "zsh" / "site-functions").rename(share / "zsh" / "vendor-completions")
    for page in sorted((share / "man" / "man1").iterdir()):
        page.with_name(f"{page.name}.gz").write_bytes(gzip.compress(page.read_bytes(), 9, mtime=0))
        page.unlink()
    package.build()


def main() -> None:
    for target in named_targets():
        if not target.debian:
            continue
        staged = WORK / "deb" / target.name / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        run(
            *(ROOT / "ffi" / "install", "/usr"),
            PLANETKEY_BUILT="1",
            PLANETKEY_BUILT_FILES=str(built(target)),
            DESTDIR=str(staged),
            LIBDIR=f"/usr/lib/{target.multiarch}",
            STRIP=":",
        )
        shared_library(target, staged)
        development(target, staged)
        command(target, staged)


if __name__ == "__main__":
    main()
