#!/usr/bin/env python3
"""Packs the preview for Windows, the command and the library for C: windows.py [TARGET...]

The zip has a directory of its own, which works wherever it is unpacked.
"""

from __future__ import annotations

import re
from pathlib import Path

from common import (
    DIST,
    ROOT,
    Target,
    built,
    documents,
    named_targets,
    version,
    write_zip,
)


def fill_in(template: Path) -> bytes:
    """A file that finds the library, for pkg-config or CMake."""
    major, minor, _ = version().split(".", 2)
    text = template.read_text(encoding="utf-8")
    for name, value in (
        ("PREFIX", "${pcfiledir}/../.."),
        # The linker of MinGW takes the DLL.
        ("LIBDIR", "${prefix}/bin"),
        ("VERSION", version()),
        ("MAJOR", major),
        ("MINOR", minor),
    ):
        text = text.replace(f"@{name}@", value)
    # There is no static library.
    text = re.sub(r"^Libs\.private: .*\n", "", text, flags=re.MULTILINE)
    if unknown := re.search(r"@\w+@", text):
        raise SystemExit(f"{template}: {unknown[0]} has no value")
    return text.encode()


def contents(target: Target) -> dict[str, bytes]:
    directory = built(target)
    share = "share/doc/planetkey"
    files = {
        "README.txt": (ROOT / "packaging" / "windows.txt").read_bytes(),
        "bin/planetkey.exe": (directory / "planetkey.exe").read_bytes(),
        "bin/planetkey.dll": (directory / "planetkey.dll").read_bytes(),
        "lib/planetkey.lib": (directory / "planetkey.lib").read_bytes(),
        "lib/pkgconfig/planetkey.pc": fill_in(ROOT / "ffi" / "planetkey.pc.in"),
    }
    for name in ("planetkey.h", "planetkey.hpp"):
        files[f"include/{name}"] = (ROOT / "include" / name).read_bytes()
    cmake = ROOT / "ffi" / "cmake"
    for name, template in (
        ("planetkeyConfig.cmake", "planetkeyConfigWindows.cmake.in"),
        ("planetkeyConfigVersion.cmake", "planetkeyConfigVersion.cmake.in"),
    ):
        files[f"lib/cmake/planetkey/{name}"] = fill_in(cmake / template)
    for path in sorted((ROOT / "ffi" / "examples").iterdir()):
        files[f"{share}/examples/{path.name}"] = path.read_bytes()
    for name, source in documents(target, tuple(target.artifacts)).items():
        files[f"{share}/licences/{name}"] = source.read_bytes()
    return files


def main() -> None:
    for target in named_targets():
        if target.windows:
            name = f"libplanetkey-{version()}-{target.name.removesuffix('-gnu')}-preview"
            files = {f"{name}/{path}": data for path, data in contents(target).items()}
            write_zip(DIST / f"{name}.zip", files)


if __name__ == "__main__":
    main()
