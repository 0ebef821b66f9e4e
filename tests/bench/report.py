"""Runs every measurement beside its peers and prints the tables.

Started by `run`, inside the environment of planetkey-simulator. The computer is rarely idle, so
every program runs several times in turn with the others: the smallest figure is what the code
costs, the median what it cost on this computer now. Nothing here fails because something is slow.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import saved
from simulator import control, prepare_for_msal

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
BUILD = REPOSITORY / "build" / "bench"
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "release"
API = "https://api.planet.com/basemaps/v1/mosaics"
TOKEN_BYTES = 1291
LIFE = 86400
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
STARTS = int(os.environ.get("BENCH_STARTS", "15"))
HOOK = "planet-auth request hook"
# The core's rows about the file behind a session, which have a table of their own.
WATCH = "watch: "
CALLS_A_SECOND = 1000
SECRETS = {"api_key": ("PL_API_KEY",), "m2m": ("PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET")}


def token_of_planets_size():
    """A real, signed token of the size of Planet's: the header and a claim are padded."""
    for in_header in range(4):
        in_claims = 0
        while True:
            # It is in the saved session of a user: a token of another issuer would not be used.
            claims = {"filler": "x" * in_claims, "iss": os.environ["PLANETKEY_SIMULATOR_USER"]}
            wanted = {"claims": claims, "header": {"filler": "x" * in_header}, "expires_in": LIFE}
            token = control("/token", wanted)["access_token"]
            missing = TOKEN_BYTES - len(token)
            if missing == 0:
                return token
            if missing < 0:
                break
            in_claims += max(1, missing * 3 // 4 - 2)
    sys.exit(f"no token of {TOKEN_BYTES} bytes can be made")


def deployment():
    """Planet's own hosts, with the simulator's authorization server."""
    document = json.loads(Path(os.environ["PLANETKEY_DEPLOYMENT"]).read_text(encoding="utf-8"))
    planet = json.loads((REPOSITORY / "core/src/deployments/planet.json").read_text(encoding="utf-8"))
    document["resource_servers"] = planet["resource_servers"]
    path = BUILD / "deployment.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def environment_with(credential):
    environment = dict(os.environ)
    for kind, names in SECRETS.items():
        for name in names:
            if kind != credential:
                environment.pop(name, None)
    return environment


def lines_of(command, environment, directory=HERE):
    done = subprocess.run(command, env=environment, cwd=directory, stdout=subprocess.PIPE, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines() if "\t" in line and not line.startswith("#")]


def table(title, columns, rows):
    print(f"\n## {title}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def headers(python):
    """Language -> name -> (smallest, median) in nanoseconds."""
    programs = {
        "Rust": ["cargo", "bench", "--quiet", "--package", "planetkey", "--bench", "header"],
        "C": [str(BUILD / "header")],
        "Python": [python, "header.py"],
        "Node": ["node", "header.mjs"],
    }
    measured = {language: {} for language in programs}
    for _ in range(ROUNDS):
        for language, command in programs.items():
            for name, smallest, median in lines_of(command, environment_with("m2m")):
                measured[language].setdefault(name, []).append((float(smallest), float(median)))
    return {
        language: {
            name: (min(s for s, _ in runs), statistics.median(m for _, m in runs)) for name, runs in names.items()
        }
        for language, names in measured.items()
    }


def print_headers(measured):
    hook = measured["Python"][HOOK][0]
    rows = [
        (language, name, f"{smallest:,.0f}", f"{median:,.0f}", f"{hook / smallest:,.1f}")
        for language, names in measured.items()
        for name, (smallest, median) in names.items()
        if not name.startswith(WATCH)
    ]
    columns = ("", "path", "min ns", "median ns", "times faster than planet-auth's hook (min)")
    table(f"Header from a cached valid token of {TOKEN_BYTES} bytes", columns, rows)
    watch = {name.removeprefix(WATCH): values for name, values in measured["Rust"].items() if name.startswith(WATCH)}
    look, otherwise = watch["the call that looks"], watch["a call that does not look, few at a time"]
    added = tuple((a - b) / CALLS_A_SECOND for a, b in zip(look, otherwise, strict=True))
    watch[f"computed: what looking adds to each of {CALLS_A_SECOND:,} calls a second"] = added
    rows = [(name, f"{smallest:,.1f}", f"{median:,.1f}") for name, (smallest, median) in watch.items()]
    columns = ("with_header(url) of the core", "min ns", "median ns")
    table("What it costs to look at the file once a second", columns, rows)


def imports(language, command, modules, names):
    """Module -> (min ms, median ms, RSS in MiB)."""
    measured = {module: [] for module in modules}
    for _ in range(STARTS):
        for module in modules:
            ((milliseconds, mebibytes),) = lines_of([*command, module], os.environ)
            measured[module].append((float(milliseconds), float(mebibytes)))
    result = {
        module: (min(t for t, _ in runs), statistics.median(t for t, _ in runs), statistics.median(m for _, m in runs))
        for module, runs in measured.items()
    }
    base = result["nothing"][2]
    rows = [
        (names.get(module, module), f"{low:.1f}", f"{mid:.1f}", f"{rss:.1f}", f"{rss - base:+.1f}")
        for module, (low, mid, rss) in result.items()
    ]
    table(f"Import in {language}, fresh processes", ("module", "min ms", "median ms", "RSS MiB", "added MiB"), rows)
    return result


def start(command, environment, expected):
    """Milliseconds until the header arrives."""
    began = time.perf_counter()
    with subprocess.Popen(command, env=environment, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        milliseconds = (time.perf_counter() - began) * 1e3
    if process.returncode != 0 or not line.startswith(f"Authorization: {expected}"):
        sys.exit(f"{command[0]} gave another header")
    return milliseconds


def peak(command, environment):
    """The peak memory of the process in MiB."""
    command = [str(BUILD / "peak"), *command]
    done = subprocess.run(command, env=environment, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout) / 1024


def starts(title, programs, home=None):
    """`programs`: name -> command line, environment, header prefix. `home` is new by default."""

    def at_home(measure, command, environment, *expected):
        if home:
            return measure(command, environment | {"HOME": home}, *expected)
        with tempfile.TemporaryDirectory() as empty:
            return measure(command, environment | {"HOME": empty}, *expected)

    measured = {name: [] for name in programs}
    for _ in range(STARTS):
        for name, program in programs.items():
            measured[name].append(at_home(start, *program))
    ours = statistics.median(measured["planetkey in Python"])
    rows = [
        (
            name,
            f"{min(times):.1f}",
            f"{statistics.median(times):.1f}",
            f"{statistics.median(times) / ours:.2f}",
            f"{at_home(peak, *programs[name][:2]):.1f}",
        )
        for name, times in measured.items()
    ]
    table(title, ("program", "min ms", "median ms", "times planetkey in Python (median)", "peak MiB"), rows)


def our_programs(environment, expected, python, credential):
    commands = {
        "planetkey in C": [str(BUILD / "header"), "start"],
        "planetkey, the command": [str(RELEASE / "planetkey"), "header", API],
        "planetkey in Python": [python, "start.py", "planetkey", credential],
        "planetkey in Node": [shutil.which("node"), "start.mjs"],
    }
    return {name: (command, environment, expected) for name, command in commands.items()}


def starts_from_environment(python, bearer):
    """With the credential in the environment."""
    # sentinelhub and planet-auth find the simulator over plain http.
    plain = {"OAUTHLIB_INSECURE_TRANSPORT": "1"}
    for credential, expected, peers, title in (
        ("api_key", "", ("planet-auth",), "API key, no network"),
        ("m2m", bearer, ("planet-auth", "sentinelhub"), "M2M client, one token request over loopback"),
    ):
        environment = environment_with(credential) | plain
        programs = our_programs(environment, expected, python, credential)
        for peer in peers:
            programs[peer] = ([python, "start.py", peer, credential], environment, expected)
        starts(f"From process start to header: {title}", programs)


def starts_from_disk(python, token):
    """With a session on disk that is valid for a day."""
    bearer = f"Bearer {token}"
    nothing, client = environment_with(None), environment_with("m2m")
    node = shutil.which("node")
    interpreters = {
        "floor: Python, print": [
            python,
            "-c",
            "import os; print('Authorization: Bearer', os.environ['BENCH_TOKEN'], flush=True)",
        ],
        "floor: Node, print": [node, "-e", "console.log('Authorization: Bearer ' + process.env.BENCH_TOKEN)"],
    }
    with tempfile.TemporaryDirectory() as home:
        now = int(time.time())
        tokens = {"access_token": token, "refresh_token": "unused", "expires_in": LIFE, "token_type": "Bearer"}
        saved.write_planets(saved.planet_file(home, "user"), tokens | {"_iat": now, "_exp": now + LIFE})
        saved.write_googles(saved.google_file(home), token, "unused", LIFE)
        # MSAL writes its own.
        prepare_for_msal()
        msal = [python, "start.py", "MSAL with extensions", "saved-m2m"]
        start(msal, client | {"HOME": home}, bearer)
        programs = {name: (command, nothing, bearer) for name, command in interpreters.items()}
        programs |= our_programs(nothing, bearer, python, "saved-user")
        for peer in ("planet-auth", "google-auth"):
            programs[peer] = ([python, "start.py", peer, "saved-user"], nothing, bearer)
        programs["MSAL with extensions"] = (msal, client, bearer)
        starts("From process start to header: saved session", programs, home)


def expiries(python):
    """Many callers, one expiry: the requests of each library, and whether the session survives."""
    measured = {}
    # A round of all libraries before the next, so that a disturbance affects all of them.
    for _ in range(ROUNDS):
        for library, kinds in saved.OPENERS.items():
            for kind in kinds:
                for line in lines_of([python, "expiry.py", library, kind], os.environ):
                    processes, threads, requests, served, alive, milliseconds = line
                    crowd = (int(processes), int(threads))
                    run = (int(requests), int(served), alive, float(milliseconds))
                    measured.setdefault((kind, library, crowd), []).append(run)
    titles = {"user": "a user session, refresh token with rotation", "m2m": "an M2M client"}
    for wanted, title in titles.items():
        rows = []
        for (kind, library, (processes, threads)), runs in measured.items():
            if kind != wanted:
                continue
            requests, served, alive, milliseconds = zip(*runs, strict=True)
            callers = processes * threads
            who = f"{callers} processes" if processes > 1 else f"{callers} threads" if threads > 1 else "1"
            row = (library, who, spread(requests), f"{spread(served)} of {callers}")
            if kind == "user":
                row += (f"{alive.count('yes')} of {len(alive)}",)
            rows.append((*row, f"{statistics.median(milliseconds):.0f}"))
        columns = ("library", "callers", "token requests", "callers served")
        columns += ("session alive afterwards",) if wanted == "user" else ()
        table(f"One expiry: {title}", (*columns, "median ms until all are done"), rows)


def spread(numbers):
    return str(numbers[0]) if len(set(numbers)) == 1 else f"{min(numbers)} to {max(numbers)}"


def aims(measured, imported):
    hook = measured["Python"][HOOK][0]
    python = measured["Python"]
    rows = []

    def aim(text, value, limit, unit):
        rows.append((text, f"{limit:,.2f} {unit}", f"{value:,.2f} {unit}", "yes" if value <= limit else "no"))

    rust, c, node = measured["Rust"], measured["C"], measured["Node"]
    token = rust["access_token()"][0]
    aim("Rust access_token()", token, 50, "ns")
    aim("Rust with_header(url), 2 times access_token()", rust["with_header(url)"][0], 2 * token, "ns")
    copy = "planetkey_session_copy_header"
    aim(f"C {copy}, 3 times Rust access_token()", c[copy][0], 3 * token, "ns")
    headers = "planetkey_session_headers, accessor, free"
    aim(f"C {headers}", c[headers][0], 250, "ns")
    aim("Python access_token()", python["planetkey access_token()"][0], 110, "ns")
    aim("Python headers(url)", python["planetkey headers(url)"][0], 250, "ns")
    aim("Node accessTokenSync()", node["planetkey accessTokenSync()"][0], 110, "ns")
    aim("Node headersSync(url)", node["planetkey headersSync(url)"][0], 250, "ns")
    aim("Python access_token(), a tenth of planet-auth's hook", python["planetkey access_token()"][0], hook / 10, "ns")
    aim("Python headers(url), a third of planet-auth's hook", python["planetkey headers(url)"][0], hook / 3, "ns")
    aim(
        "import planetkey, a tenth of import planet_auth",
        imported["planetkey"][0],
        imported["planet_auth"][0] / 10,
        "ms",
    )
    table("Aims", ("aim", "at most", "measured (min)", "reached"), rows)


def main():
    python = sys.executable
    token = token_of_planets_size()
    step = {"token_response": {"set": {"access_token": token}, "expires_in": LIFE}}
    control("/script", {"target": "m2m.token", "steps": [step], "repeat": True})
    os.environ["BENCH_TOKEN"] = token
    os.environ["PLANETKEY_DEPLOYMENT"] = str(deployment())
    print(
        f"{ROUNDS} rounds, {STARTS} starts of each program, load {os.getloadavg()[0]:.1f} at the beginning", flush=True
    )

    measured = headers(python)
    print_headers(measured)
    modules = (
        "nothing",
        "planetkey",
        "planet_auth",
        "sentinelhub",
        "authlib.integrations.requests_client",
        "requests_oauthlib",
        "requests_oauth2client",
        "google.oauth2.credentials",
        "msal",
    )
    imported = imports("Python", [python, "import.py"], modules, {})
    own = str(REPOSITORY / "bindings/node/index.mjs")
    imports(
        "Node",
        ["node", "import.mjs"],
        ("nothing", own, "openid-client", "google-auth-library", "@azure/msal-node", "simple-oauth2"),
        {own: "planetkey"},
    )
    starts_from_environment(python, f"Bearer {token}")
    starts_from_disk(python, token)
    expiries(python)
    aims(measured, imported)


main()
