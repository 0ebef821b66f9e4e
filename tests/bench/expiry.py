"""Counts the token requests of many callers at one expiry: expiry.py LIBRARY user|m2m.

Started by report.py, inside the environment of planetkey-simulator. For every number of callers an
expired session is on disk. Processes are forked from this one, which has only imported the library.
Each opens the session, and its threads share it. All wait at one barrier, then each requests one
header. The server takes 50 ms for a token, rotates refresh tokens, and ends a session whose refresh
token is sent twice.

Prints for each number of callers, separated by tabs: processes, threads, requests at the token
endpoint, callers whose header an API accepts at the end, whether the session is still valid ("-"
for an M2M client, which has none), and the milliseconds from the start of the first caller to the
end of the last.
"""

import importlib
import json
import logging
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import saved
from simulator import control, count, is_accepted, prepare_for_msal, session_of

CROWDS = ((1, 1), (1, 8), (1, 32), (8, 1), (32, 1))
MODULES = {
    "planetkey": ("planetkey",),
    "planet-auth": ("planet_auth", "requests"),
    "google-auth": ("google.oauth2.credentials", "google.auth.transport.requests"),
    "MSAL with extensions": ("msal", "msal_extensions"),
}
SERVER_MS = 50
HOUR = 3600
# Far beyond what any of this takes: who hangs ends the run.
PATIENCE_S = 60


def caller(open_session, home, threads, barrier, answers):
    """One process: when each thread set out and was done, and what it got."""
    header = open_session(home)

    def ask(_):
        barrier.wait(PATIENCE_S)
        began = time.monotonic()
        try:
            got = header()
        # Whatever it is, this caller has no header.
        except Exception:
            got = None
        return began, time.monotonic(), got

    with ThreadPoolExecutor(threads) as pool:
        answers.send(list(pool.map(ask, range(threads))))


def ask_at_once(open_session, home, processes, threads):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(processes * threads)
    crowd = []
    for _ in range(processes):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=caller, args=(open_session, home, threads, barrier, sender), daemon=True)
        process.start()
        # Only the child holds it: its end is then noticed here.
        sender.close()
        crowd.append((process, receiver))
    answers = []
    for process, receiver in crowd:
        answers += receiver.recv()
        process.join()
    return answers


def answer_slowly(target):
    control("/script", {"target": target, "steps": [{"delay_ms": SERVER_MS}], "repeat": True})


def expired_session(library, kind, home):
    """Lays an expired session on disk; gives the refresh token where there is one."""
    if kind == "user":
        client = saved.GOOGLES_CLIENT if library == "google-auth" else saved.PLANETS_CLIENT
        tokens = control("/sessions", {"client_id": client, "lifetime": HOUR, "age": 2 * HOUR})
        if library == "google-auth":
            path = saved.google_file(home)
            saved.write_googles(path, tokens["access_token"], tokens["refresh_token"], -HOUR)
        else:
            saved.write_planets(saved.planet_file(home, kind), tokens)
        return tokens["refresh_token"]
    if library == "MSAL with extensions":
        # It writes its own file. What lives less than five minutes has expired for it.
        step = {"token_response": {"expires_in": 1}}
        control("/script", {"target": "m2m.token", "steps": [step]})
        ask_at_once(saved.msal_m2m, home, 1, 1)
    else:
        now = int(time.time())
        claims = {"iat": now - 2 * HOUR, "exp": now - HOUR}
        access_token = control("/token", {"claims": claims})["access_token"]
        tokens = {"access_token": access_token, "expires_in": HOUR, "token_type": "Bearer"}
        tokens |= {"_iat": claims["iat"], "_exp": claims["exp"]}
        saved.write_planets(saved.planet_file(home, kind), tokens)
    return None


def is_alive(library, home, refresh_token):
    """Whether the server would still refresh the session with what lies on disk."""
    path = saved.google_file(home) if library == "google-auth" else saved.planet_file(home, "user")
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file).get("refresh_token")
    except ValueError:
        # Writers without a lock have left a mixture of what they wrote.
        return False
    session = session_of(refresh_token)
    return session["active"] and session["refresh_token"] == kept


def one_expiry(library, kind, processes, threads):
    target = f"{kind}.token"
    with tempfile.TemporaryDirectory() as home:
        refresh_token = expired_session(library, kind, home)
        answer_slowly(target)
        before = count(target)
        answers = ask_at_once(saved.OPENERS[library][kind], home, processes, threads)
        requests = count(target) - before
        headers = [header for _, _, header in answers if header]
        accepted = {header for header in set(headers) if is_accepted(header)}
        served = sum(header in accepted for header in headers)
        alive = "-" if refresh_token is None else "yes" if is_alive(library, home, refresh_token) else "no"
    first, last = min(began for began, _, _ in answers), max(ended for _, ended, _ in answers)
    print(processes, threads, requests, served, alive, (last - first) * 1e3, sep="\t", flush=True)


def main():
    library, kind = sys.argv[1:]
    # What peers say about their failures is in the table.
    logging.disable()
    for module in MODULES[library]:
        importlib.import_module(module)
    if library == "google-auth":
        client = {"client_id": saved.GOOGLES_CLIENT, "client_secret": saved.GOOGLES_SECRET, "server": "user"}
        control("/clients", client | {"token_endpoint_auth_method": "client_secret_post"})
    if library == "MSAL with extensions":
        prepare_for_msal()
    for processes, threads in CROWDS:
        one_expiry(library, kind, processes, threads)


main()
