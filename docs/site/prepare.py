"""Lays out the sources of the site: prepare.py ROOT BUILD.

The pages of docs/ and the documents at the root of the repository are copied to BUILD/source. Pages
that are generated join them: the command's help and the Node reference. An index page gets a table
of contents from its own list of links. A link to a file of the repository that is no page becomes
the file's path; a link to nothing is an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]).resolve()
BUILD = Path(sys.argv[2]).resolve()
SOURCE = BUILD / "source"
COMMAND = ROOT / "target" / "release" / "planetkey"
# Pages that live elsewhere in the repository.
OUTSIDE = {
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "tests/simulator/README.md": "reference/simulator.md",
    "tests/model/README.md": "explanation/model.md",
}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
FENCE = re.compile(r"^( *)(```+|~~~+)")
GROUPS = ("Credential", "Storage", "Connection")


def pages() -> dict[Path, Path]:
    """The pages by where they are in the repository, with where they are in the site."""
    found = {
        page: page.relative_to(ROOT / "docs")
        for page in sorted((ROOT / "docs").rglob("*.md"))
        if "site" not in page.relative_to(ROOT / "docs").parts
    }
    found |= {ROOT / page: Path(place) for page, place in OUTSIDE.items()}
    return found


def prose(text: str, change) -> str:
    """Applies a change to what is in no block of code. A link may be broken over two lines."""
    parts: list[str] = []
    fence = None
    inside = False
    for line in text.split("\n"):
        opening = FENCE.match(line)
        code = fence is not None or opening is not None
        if fence is None and opening:
            fence = opening[2]
        elif fence is not None and line.strip() == fence:
            fence = None
        if parts and code == inside:
            parts[-1] += "\n" + line
        else:
            parts.append(line)
        inside = code
    return "\n".join(part if FENCE.match(part) else change(part) for part in parts)


def convert(page: Path, place: Path, everything: dict[Path, Path], wrong: list[str]) -> str:
    generated = {"reference/command.md", "reference/node/index.md"}
    listed: list[str] = []

    def link(match: re.Match[str]) -> str:
        mark, words, target = match[1], match[2], match[3]
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            return match[0]
        path, hash_, anchor = target.partition("#")
        file = (page.parent / path).resolve()
        up = "/".join([".."] * len(place.parent.parts)) or "."
        if mark and file.is_file() and file.is_relative_to(ROOT / "docs"):
            return f"![{words}]({up}/{file.relative_to(ROOT / 'docs')})"
        if file in everything:
            there = everything[file]
        elif (
            file.is_relative_to(ROOT / "docs") and str(file.relative_to(ROOT / "docs")) in generated
        ):
            there = file.relative_to(ROOT / "docs")
        elif file.exists() and file.is_relative_to(ROOT):
            if file == ROOT / "README.md":
                there = Path("index.md")
            else:
                name = str(file.relative_to(ROOT))
                return f"`{name}`" if words.strip("`") == name else f"{words} (`{name}`)"
        else:
            wrong.append(f"{page.relative_to(ROOT)}: nothing is at {target}")
            return match[0]
        listed.append("/" + str(there.with_suffix("")))
        return f"[{words}]({up}/{there}{hash_}{anchor})"

    text = prose(page.read_text(encoding="utf-8"), lambda part: LINK.sub(link, part))
    if place.name == "index.md":
        entries = dict.fromkeys(
            entry for entry in listed if entry != "/" + str(place.with_suffix(""))
        )
        if place == Path("index.md"):
            entries = {entry: None for entry in entries if entry.endswith("/index")}
        else:
            entries = {
                entry: None
                for entry in entries
                if Path(entry[1:]).parent in (place.parent, place.parent / "node")
            }
        text += "\n```{toctree}\n:hidden:\n\n" + "\n".join(entries) + "\n```\n"
    return text


def help_of(*words: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "COLUMNS": "80"}
    return subprocess.run(
        [COMMAND, *words, "--help"], check=True, capture_output=True, text=True, env=environment
    ).stdout


def sections(text: str) -> dict[str, str]:
    """The groups of options by the first word of their title; '' if before the first title."""
    found = {"": ""}
    current = ""
    for line in text.split("\n"):
        if line.endswith(":") and not line.startswith(" "):
            current = line.partition(" ")[0].rstrip(":")
            found[current] = ""
        elif current in GROUPS and line and not line.startswith(" "):
            current = "after"
            found.setdefault(current, "")
        found[current] += line + "\n"
    return found


def commands(*words: str) -> list[str]:
    listed = sections(help_of(*words)).get("Commands", "")
    return [line.split()[0] for line in listed.split("\n")[1:] if re.match(r"  [a-z]", line)]


def command_page() -> str:
    top = sections(help_of())
    page = (ROOT / "docs" / "reference" / "command-intro.md").read_text(encoding="utf-8")
    page += "\n## Overview\n\n```text\n"
    page += "".join(text for name, text in top.items() if name not in GROUPS).strip() + "\n```\n"
    page += "\n## Options of every command\n\n```text\n"
    page += "".join(top[name] for name in GROUPS).strip() + "\n```\n"
    for first in commands():
        for words in [(first,), *((first, second) for second in commands(first))]:
            level = "##" if len(words) == 1 else "###"
            own = "".join(
                text for name, text in sections(help_of(*words)).items() if name not in GROUPS
            )
            page += f"\n{level} planetkey {' '.join(words)}\n\n```text\n{own.strip()}\n```\n"
    return page


def python_package() -> None:
    """The package for autodoc: the stub replaces the compiled module."""
    there = BUILD / "python" / "planetkey"
    shutil.rmtree(there, ignore_errors=True)
    here = ROOT / "bindings" / "python" / "python" / "planetkey"
    shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    stub = (there / "_native.pyi").read_text(encoding="utf-8")
    (there / "_native.pyi").unlink()
    (there / "_native.py").write_text(
        "from __future__ import annotations\n"
        + stub.replace("__version__: str", '__version__ = "0"'),
        encoding="utf-8",
    )


def node_pages() -> None:
    """What typedoc wrote, as pages of the site."""
    written = BUILD / "typedoc"
    there = SOURCE / "reference" / "node"
    there.mkdir(parents=True, exist_ok=True)
    for file in ("index.md", "adapters/axios.md", "adapters/undici.md", "adapters/maplibre.md"):
        name = Path(file).stem
        text = (written / file).read_text(encoding="utf-8").partition("\n")[2]
        # Where a member comes from is said by the heading "Extends".
        text = re.sub(r"\n#+ (?:Inherited from|Overrides)\n(?:\n(?!#|\*\*\*)[^\n]*)*", "\n", text)
        # All pages are beside each other.
        text = re.sub(r"\]\((?:\.\./|adapters/)", "](", text)
        if name == "index":
            text = (ROOT / "docs" / "reference" / "node-intro.md").read_text(
                encoding="utf-8"
            ) + text
            text += "\n```{toctree}\n:hidden:\n\naxios\nundici\nmaplibre\n```\n"
        else:
            text = f"# planetkey/{name}\n{text}"
        (there / f"{name}.md").write_text(text, encoding="utf-8")


def main() -> None:
    shutil.rmtree(SOURCE, ignore_errors=True)
    everything = pages()
    wrong: list[str] = []
    for page, place in everything.items():
        if page.name.endswith("-intro.md"):
            continue
        (SOURCE / place).parent.mkdir(parents=True, exist_ok=True)
        (SOURCE / place).write_text(convert(page, place, everything, wrong), encoding="utf-8")
    pictures = ROOT / "docs" / "pictures"
    if pictures.is_dir():
        shutil.copytree(pictures, SOURCE / "pictures")
    # The README is no page, but its links are checked.
    for outside in (
        "README.md",
        "bindings/python/README.md",
        "bindings/node/README.md",
        "tests/README.md",
    ):
        convert(ROOT / outside, Path("x/x.md"), everything, wrong)
    (SOURCE / "reference" / "command.md").write_text(command_page(), encoding="utf-8")
    node_pages()
    python_package()
    if wrong:
        sys.exit("\n".join(wrong))


main()
