"""Runs every measurement beside its peers and prints the tables. Started by `run`, inside the environment of planetkey-simulator.

The machine is rarely idle, so every program runs several times in turn with the others: the smallest figure is what the code costs,
the median what it cost on this machine now. Nothing here fails because something is slow.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

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
SECRETS = {"api_key": ("PL_API_KEY",), "m2m": ("PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET")}


def control(path, body):
    request = urllib.request.Request(os.environ["PLANETKEY_SIMULATOR"] + path, json.dumps(body).encode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def token_of_planets_size():
    """A real, signed token with as many bytes as Planet's have: the header and a claim are filled up."""
    for in_header in range(4):
        in_claims = 0
        while True:
            wanted = {"claims": {"filler": "x" * in_claims}, "header": {"filler": "x" * in_header}, "expires_in": LIFE}
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
    ]
    columns = ("", "path", "min ns", "median ns", "times faster than planet-auth's hook (min)")
    table(f"Header from a cached valid token of {TOKEN_BYTES} bytes", columns, rows)


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


def start(command, environment):
    """Milliseconds until the header arrives."""
    began = time.perf_counter()
    with subprocess.Popen(command, env=environment, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        milliseconds = (time.perf_counter() - began) * 1e3
    if process.returncode != 0 or not line.startswith("Authorization: "):
        sys.exit(f"{command[0]} gave no header")
    return milliseconds


def peak(command, environment):
    """The peak memory of the process in MiB."""
    command = [str(BUILD / "peak"), *command]
    done = subprocess.run(command, env=environment, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout) / 1024


def starts(python, credential, title, peers):
    programs = {
        "C": [str(BUILD / "header"), "start"],
        "command": [str(RELEASE / "planetkey"), "header", API],
        "Python": [python, "start.py", "planetkey", credential],
        "Node": [shutil.which("node"), "start.mjs"],
    }
    programs |= {peer.replace("_", "-"): [python, "start.py", peer, credential] for peer in peers}
    # sentinelhub and planet-auth find the simulator over plain http.
    environment = environment_with(credential) | {"OAUTHLIB_INSECURE_TRANSPORT": "1"}
    measured = {name: [] for name in programs}
    for _ in range(STARTS):
        for name, command in programs.items():
            measured[name].append(start(command, environment))
    rows = [
        (name, f"{min(times):.1f}", f"{statistics.median(times):.1f}", f"{peak(programs[name], environment):.1f}")
        for name, times in measured.items()
    ]
    table(title, ("program", "min ms", "median ms", "peak MiB"), rows)


def aims(measured, imported):
    hook = measured["Python"][HOOK][0]
    python = measured["Python"]
    rows = []

    def aim(text, value, limit, unit):
        rows.append((text, f"{limit:,.2f} {unit}", f"{value:,.2f} {unit}", "yes" if value <= limit else "no"))

    aim("Rust access_token()", measured["Rust"]["access_token()"][0], 50, "ns")
    aim("C planetkey_session_copy_header", measured["C"]["planetkey_session_copy_header"][0], 80, "ns")
    aim("Python access_token()", python["planetkey access_token()"][0], 110, "ns")
    aim("Node accessTokenSync()", measured["Node"]["planetkey accessTokenSync()"][0], 110, "ns")
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
    starts(python, "api_key", "From process start to header: API key, no network", ["planet_auth"])
    starts(
        python,
        "m2m",
        "From process start to header: M2M client, one token request over loopback",
        ["planet_auth", "sentinelhub"],
    )
    aims(measured, imported)


main()
