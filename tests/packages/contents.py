"""Checks what the packages of `make dist` contain: contents.py DIRECTORY [PATH...]

Each package has the licences, a bill of materials for each binary, and binaries for its platform
that need no newer glibc than 2.17. `make test-windows` checks the binaries for Windows. Nothing
contains one of the paths: those of the machine that built them.
Prints a table. Needs pyelftools, which packaging/tools installs, and dpkg-deb.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from elftools.elf.elffile import ELFFile

OLDEST_GLIBC = (2, 17)
MACHINES = {"EM_X86_64": ("x86_64", "amd64", "x64"), "EM_AARCH64": ("aarch64", "arm64")}
OWN = ("LICENSE-APACHE", "LICENSE-MIT")
THIRD_PARTY = "THIRD-PARTY-LICENSES.txt"
PROGRAMS = ("planetkey", "planetkey-simulator")
# Their users compile them. They contain nothing of others.
SOURCES = re.compile(r"planetkey-[\d.]+\.(?:crate|tar\.gz|tgz)")


def members(archive: Path) -> dict[str, bytes]:
    """The regular files of a package, by their paths."""
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as opened:
            return {name: opened.read(name) for name in opened.namelist()}
    data = archive.read_bytes()
    if archive.suffix == ".deb":
        command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        data = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        return {
            entry.name: opened.extractfile(entry).read()
            for entry in opened.getmembers()
            if entry.isfile()
        }


def glibc(elf: ELFFile) -> tuple[int, ...]:
    """The newest version of glibc that a symbol needs; empty for musl and for static programs."""
    section = elf.get_section_by_name(".gnu.version_r")
    if section is None:
        return ()
    needed = [
        tuple(map(int, version.name.removeprefix("GLIBC_").split(".")))
        for _, versions in section.iter_versions()
        for version in versions
        if version.name.startswith("GLIBC_")
    ]
    return max(needed, default=())


def check_binary(package: str, name: str, data: bytes) -> str:
    """Checks an executable or a shared library, and says what it needs."""
    elf = ELFFile(io.BytesIO(data))
    where = f"{package}: {name}"
    machine = elf.header["e_machine"]
    if not any(word in package for word in MACHINES[machine]):
        raise SystemExit(f"{where} is for {machine}")
    if elf.get_section_by_name(".debug_info") or elf.get_section_by_name(".symtab"):
        raise SystemExit(f"{where} has symbols or debugging information")
    libraries = []
    if dynamic := elf.get_section_by_name(".dynamic"):
        libraries = [tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"]
    newest = glibc(elf)
    musl = "musl" in package or re.fullmatch(r"planetkey-[\d.]+-\w+-linux\.tar\.gz", package)
    if musl and (newest or set(libraries) - {"libc.so", "libgcc_s.so.1"}):
        raise SystemExit(f"{where} for musl needs {libraries} and glibc {newest}")
    if not musl and not (() < newest <= OLDEST_GLIBC):
        raise SystemExit(f"{where} needs glibc {newest}")
    if musl and name.rpartition("/")[2] in PROGRAMS and libraries:
        raise SystemExit(f"{where} is not static: {libraries}")
    return "glibc " + ".".join(map(str, newest)) if newest else "musl" if libraries else "static"


def check(archive: Path, paths: list[bytes]) -> None:
    package = archive.name
    files = members(archive)
    names = {name.rpartition("/")[2].removesuffix(".gz") for name in files}
    needs = set()
    for name, data in files.items():
        content = gzip.decompress(data) if name.endswith(".gz") else data
        for path in paths:
            if path in content:
                raise SystemExit(f"{package}: {name} contains {path.decode()}")
        if content.startswith(b"\x7fELF"):
            needs.add(check_binary(package, name, content))
        elif content.startswith(b"MZ"):
            if "windows" not in package:
                raise SystemExit(f"{package}: {name} is for Windows")
            needs.add("Windows 10")
        if name.removesuffix(".gz").endswith(".cdx.json"):
            bill = json.loads(content)
            if bill["bomFormat"] != "CycloneDX" or len(bill["components"]) < 20:
                raise SystemExit(f"{package}: {name} is no bill of materials")
    if archive.suffix == ".deb":
        wanted = {"copyright", THIRD_PARTY}
    else:
        wanted = {*OWN} if SOURCES.fullmatch(package) else {*OWN, THIRD_PARTY}
    if missing := wanted - names:
        raise SystemExit(f"{package} does not have {', '.join(sorted(missing))}")
    bills = [name for name in names if name.endswith("cdx.json")]
    if not bills and not SOURCES.fullmatch(package):
        raise SystemExit(f"{package} has no bill of materials")
    if not needs and not SOURCES.fullmatch(package) and "-dev_" not in package:
        raise SystemExit(f"{package} has no binary")
    size = archive.stat().st_size
    print(f"{package:68} {size / 1e6:6.2f} MB  {', '.join(sorted(needs)) or '-'}")


def main() -> None:
    directory = Path(sys.argv[1])
    paths = [path.encode() for path in sys.argv[2:]]
    sums = {}
    for line in (directory / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split(maxsplit=1)
        sums[name] = digest
    archives = sorted(path for path in directory.iterdir() if path.name != "SHA256SUMS")
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in archives}
    if found != sums:
        raise SystemExit("SHA256SUMS does not fit the files")
    for archive in archives:
        check(archive, paths)
    print(f"{len(archives)} packages")


if __name__ == "__main__":
    main()
