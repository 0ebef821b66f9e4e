#!/usr/bin/env python3
"""Writes build/packages/THIRD-PARTY-LICENSES.txt: the licences of everything in the packages.

The texts come from the sources of the crates that Cargo has downloaded, from the Rust toolchain and
from zig. A crate without a licence text of its own gets that of Apache-2.0 or MIT, if its manifest
offers one of them; otherwise this is an error.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from common import LICENCES, ROOT, TARGETS, THIRD_PARTY, TOOLS, WORK, dependencies, run

NAMES = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
RULE = "-" * 80


def texts_of(directory: Path) -> list[str]:
    """The licence texts of a crate: files of its root, or of a directory for them."""
    files = [path for path in sorted(directory.iterdir()) if NAMES.match(path.name)]
    files += [path for found in files if found.is_dir() for path in sorted(found.iterdir())]
    found = []
    for path in files:
        if path.is_file() and path.suffix not in (".rs", ".html", ".json", ".toml"):
            text = path.read_text(encoding="utf-8", errors="replace")
            found.append("\n".join(line.rstrip() for line in text.strip().splitlines()))
    return found


def standard_text(package: dict) -> list[str]:
    """The text of a licence that is the same for everyone, but for the name of the authors."""
    expression = package["license"] or ""
    if "Apache-2.0" in expression:
        return [(ROOT / LICENCES[0]).read_text(encoding="utf-8").strip()]
    if "MIT" in expression:
        _, _, terms = (ROOT / LICENCES[1]).read_text(encoding="utf-8").partition("Permission is")
        authors = ", ".join(package["authors"]) or f"the authors of {package['name']}"
        return [f"MIT License\n\nCopyright (c) {authors}\n\nPermission is{terms}".strip()]
    return []


def crates() -> dict[tuple[str, str], dict]:
    """The crates of others in the packages of any target, by name and version."""
    found = {}
    for target in TARGETS.values():
        packages, _ = dependencies(target.rust, tuple(target.artifacts.values()))
        for package in packages.values():
            if package["source"] is not None:
                found[package["name"], package["version"]] = package
    return dict(sorted(found.items()))


def toolchain() -> dict[str, tuple[str, list[Path]]]:
    """What the compilers put into programs: the name, the licence, and the files with its text."""
    sysroot = Path(run("rustc", "--print", "sysroot", cwd=ROOT).strip())
    rust = sysroot / "share" / "doc" / "rust" / "licenses"
    release = run("rustc", "--version", cwd=ROOT).split()[1]
    (zig,) = TOOLS.glob("lib/python3*/site-packages/ziglang")
    return {
        f"Rust standard library {release}": (
            "MIT OR Apache-2.0",
            [rust / "MIT.txt", rust / "Apache-2.0.txt"],
        ),
        "musl, in the static programs": ("MIT", [zig / "lib/libc/musl/COPYRIGHT"]),
        "mingw-w64, in the files for Windows": (
            "ZPL-2.1 AND public domain",
            [zig / "lib/libc/mingw/COPYING"],
        ),
        "libunwind of LLVM": (
            "Apache-2.0 WITH LLVM-exception",
            [zig / "lib/libunwind/LICENSE.TXT"],
        ),
        "compiler support routines of zig": ("MIT", [zig / "LICENSE"]),
    }


def main() -> None:
    users: dict[str, list[str]] = defaultdict(list)
    listed, missing = [], []
    for (name, version), package in crates().items():
        expression = package["license"] or "see its text"
        texts = texts_of(Path(package["manifest_path"]).parent) or standard_text(package)
        if not texts:
            missing.append(f"{name} {version}: {expression}")
        listed.append(f"{name} {version}: {expression}")
        for text in texts:
            users[text].append(f"{name} {version}")
    for name, (expression, files) in toolchain().items():
        listed.append(f"{name}: {expression}")
        for path in files:
            text = path.read_text(encoding="utf-8").strip()
            users["\n".join(line.rstrip() for line in text.splitlines())].append(name)
    if missing:
        raise SystemExit("no licence text: " + ", ".join(missing))

    parts = [
        (
            "planetkey is licensed under Apache-2.0 or MIT, at your choice. Its packages contain\n"
            "the following software of others, under the licences that follow."
        ),
        "\n".join(listed),
    ]
    for text, names in sorted(users.items(), key=lambda item: (item[1], item[0])):
        parts.append(f"{RULE}\n{', '.join(names)}\n{RULE}\n\n{text}")
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / THIRD_PARTY).write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"{THIRD_PARTY}: {len(listed)} pieces of software, {len(users)} texts")


if __name__ == "__main__":
    main()
