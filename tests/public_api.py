#!/usr/bin/env python3
"""Compares the public Rust API of the core with core/public-api.txt.

The public API is what core/src/lib.rs exports without `#[doc(hidden)]`, with the public functions,
fields and variants of each exported type. UPDATE_PUBLIC_API=1 writes the file.
"""

import difflib
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "core"
LISTING = ROOT / "public-api.txt"
HIDDEN = "#[doc(hidden)]"
OPEN = "#[non_exhaustive]"
ITEM = re.compile(r"^( *)pub (?:(?:const|unsafe|async) )*(struct|enum|trait|fn|const|type) (\w+)")


def source(path: Path) -> list[str]:
    """The lines of a file without its tests and comments."""
    text = path.read_text().split("#[cfg(test)]")[0]
    return [line for line in text.splitlines() if not line.lstrip().startswith("//")]


def has_attribute(lines: list[str], at: int, attribute: str) -> bool:
    """Whether this is one of the attributes before this line."""
    while at > 0 and lines[at - 1].lstrip().startswith("#["):
        at -= 1
        if attribute in lines[at]:
            return True
    return False


def is_hidden(lines: list[str], at: int) -> bool:
    """Whether one of the attributes before this line hides the item."""
    return has_attribute(lines, at, HIDDEN)


def signature(lines: list[str], at: int) -> str:
    """An item on one line, without its body."""
    text = ""
    for line in lines[at:]:
        text += " " + line.strip()
        # A field or variant ends with a comma, everything else with a brace or a semicolon.
        if line.rstrip().endswith((";", "{", "}")) or "fn " not in text and line.rstrip().endswith(","):
            break
    text = re.sub(r"\s+", " ", text).strip()
    text = text.split(" {")[0] if "fn " in text else text
    return re.sub(r"\( ", "(", re.sub(r",? \)", ")", text)).rstrip(" ;{,")


def block(lines: list[str], at: int) -> range:
    """The numbers of the lines between the braces that open at this line."""
    indent = len(lines[at]) - len(lines[at].lstrip())
    for end in range(at, len(lines)):
        if lines[end] in (" " * indent + "}", " " * indent + ");"):
            return range(at + 1, end)
    return range(at + 1, at + 1)


def exported() -> list[str]:
    """The names that lib.rs exports."""
    text = "\n".join(source(ROOT / "src" / "lib.rs"))
    text = re.sub(re.escape(HIDDEN) + r"\s*pub use [^;]*;", "", text)
    names = []
    for group in re.findall(r"pub use ([^;]*);", text):
        names += re.findall(r"(\w+)\s*(?:,|\}|$)", group.split("::")[-1] if "{" not in group else group)
    return sorted(set(names))


def described(name: str, files: dict[Path, list[str]]) -> list[str]:
    """The definition of an exported name, and what belongs to it."""
    found = []
    for lines in files.values():
        for at, line in enumerate(lines):
            item = ITEM.match(line)
            if item and item[3] == name and (not item[1] or item[2] == "fn"):
                is_open = has_attribute(lines, at, OPEN)
                found.append((f"{OPEN} " if is_open else "") + signature(lines, at))
                if item[2] in ("struct", "enum", "trait") and line.rstrip().endswith("{"):
                    for inner in block(lines, at):
                        text = lines[inner]
                        is_member = re.match(r"    (pub \w|[A-Z]\w*(?:[,({ ]|$)|fn )", text)
                        is_private = item[2] == "struct" and not text.startswith("    pub ")
                        if is_member and not is_private and not is_hidden(lines, inner):
                            found.append(f"    {signature(lines, inner)}")
            elif re.match(rf"impl(<[^>]*>)? {name}(<[^>]*>)? \{{$", line):
                for inner in block(lines, at):
                    if re.match(r"    pub (const )?(fn|const) ", lines[inner]) and not is_hidden(lines, inner):
                        found.append(f"    {signature(lines, inner)}")
    return found


def listing() -> str:
    files = {path: source(path) for path in sorted((ROOT / "src").rglob("*.rs"))}
    parts = []
    for name in exported():
        lines = described(name, files)
        if not lines:
            sys.exit(f"{name} is exported and not found")
        parts.append("\n".join(lines[:1] + sorted(lines[1:])))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    actual = listing()
    if os.environ.get("UPDATE_PUBLIC_API") == "1":
        LISTING.write_text(actual)
    expected = LISTING.read_text() if LISTING.exists() else ""
    if actual != expected:
        difference = difflib.unified_diff(expected.splitlines(), actual.splitlines(), "committed", "actual", lineterm="")
        print("\n".join(difference))
        sys.exit("The public Rust API changed: run UPDATE_PUBLIC_API=1 tests/public_api.py, and note it in CHANGELOG.md")
    print(f"{len(actual.splitlines())} lines of public Rust API, as committed")


main()
