#!/usr/bin/env python3
"""Packs the archives for C and C++ and those of the static command: archive.py [TARGET...]

An archive has a directory of its own, which works wherever it is unpacked.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from common import (
    DIST,
    ROOT,
    WORK,
    Target,
    built,
    documents,
    named_targets,
    run,
    version,
    write_tar_gz,
)


def add_documents(directory: Path, target: Target, files: tuple[str, ...]) -> None:
    directory.mkdir(parents=True)
    for name, source in documents(target, files).items():
        shutil.copyfile(source, directory / name)


def empty(name: str) -> Path:
    directory = WORK / "archive" / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def library(target: Target) -> None:
    name = f"libplanetkey-{version()}-{target.name}"
    directory = empty(name)
    # musl is one library. libplanetkey.a for it has an unwinder, which needs a table in a static
    # program, .eh_frame_hdr. gcc does not ask the linker for it.
    musl = {"PRIVATE_LIBRARIES": "-Wl,--eh-frame-hdr -lc"} if target.npm_libc == "musl" else {}
    run(
        *(ROOT / "ffi" / "install", directory),
        PLANETKEY_BUILT="1",
        PLANETKEY_BUILT_FILES=str(built(target)),
        RELOCATABLE="1",
        STRIP=":",
        DESTDIR="",
        LIBDIR="",
        **musl,
    )
    shutil.copytree(WORK / "pages", directory / "share", dirs_exist_ok=True)
    shutil.copytree(
        ROOT / "ffi" / "examples", directory / "share" / "doc" / "planetkey" / "examples"
    )
    add_documents(
        directory / "share" / "doc" / "planetkey" / "licences",
        target,
        ("libplanetkey_ffi.so", "planetkey", "planetkey-simulator"),
    )
    write_tar_gz(DIST / f"{name}.tar.gz", directory, name)


def command(target: Target) -> None:
    """The command alone: a static program, with its pages."""
    name = f"planetkey-{version()}-{target.name.removesuffix('-musl')}"
    directory = empty(name)
    shutil.copy(built(target) / "planetkey", directory / "planetkey")
    shutil.copytree(WORK / "pages", directory / "share")
    add_documents(directory / "licences", target, ("planetkey",))
    write_tar_gz(DIST / f"{name}.tar.gz", directory, name)


def main() -> None:
    for target in named_targets():
        if not target.windows:
            library(target)
        if target.npm_libc == "musl":
            command(target)


if __name__ == "__main__":
    main()
