"""The table of tests/README.md: which assertion was tested with which real server.

`table.py compare FILE` compares the table with the one that a run of all tests wrote to FILE, in
the columns of the servers that ran. With `UPDATE_TABLE=1` it writes the table.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- servers: begin -->\n", "<!-- servers: end -->\n"
SERVERS = ("Keycloak", "oidc-provider")

# number -> test -> servers
Shown = Mapping[str, Mapping[str, Iterable[str]]]


def lines(shown: Shown) -> list[str]:
    """The lines of the table."""
    made = [f"| number | {' | '.join(SERVERS)} | tests |", "|---" * (len(SERVERS) + 2) + "|"]
    for number in sorted(shown):
        servers = {server for ran in shown[number].values() for server in ran}
        cells = ["yes" if server in servers else "no" for server in SERVERS]
        tests = "<br>".join(f"`{test}`" for test in sorted(shown[number]))
        made.append(f"| {number} | {' | '.join(cells)} | {tests} |")
    return made


def compare(file: Path) -> int:
    """Prints where the page differs from the run."""
    ran, *made = file.read_text().splitlines()
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    old, _, after = rest.partition(END)
    if os.environ.get("UPDATE_TABLE") == "1":
        PAGE.write_text(before + BEGIN + "\n".join(made) + "\n" + END + after)
        return 0
    columns = [0, *(1 + SERVERS.index(server) for server in ran.split(","))]
    if len(columns) == 1 + len(SERVERS):
        columns.append(1 + len(SERVERS))

    def rows(table: Iterable[str]) -> set[str]:
        cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in table)
        return {" | ".join(row[column] for column in columns) for row in cells}

    difference = rows(made) ^ rows(old.splitlines())
    # The number belongs only to a server that did not run.
    difference = {row for row in difference if columns[-1] > len(SERVERS) or "yes" in row}
    for row in sorted(difference):
        print(
            f"{'only this run has' if row in rows(made) else 'only tests/README.md has'}: {row}",
            file=sys.stderr,
        )
    if difference:
        print(
            "tests/README.md differs; UPDATE_TABLE=1 make test-servers writes the table",
            file=sys.stderr,
        )
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(compare(Path(sys.argv[2])))
