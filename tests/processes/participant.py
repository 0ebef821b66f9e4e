"""participant URL THREADS one|each look|blind: like participant.c, in Python."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import planetkey


def open_session(look: bool) -> planetkey.Session:
    session = planetkey.Session.from_defaults()
    if look:
        assert session.is_initialized()
    return session


def main(url: str, threads: int, each: bool, look: bool) -> None:
    sessions = [open_session(look) for _ in range(threads if each else 1)]
    barrier = Barrier(threads)

    def ask(number: int) -> str:
        barrier.wait()
        try:
            return (
                "Authorization: " + sessions[number % len(sessions)].headers(url)["Authorization"]
            )
        except planetkey.Error as error:
            return error.code

    # In one write, because the processes share the error stream.
    os.write(2, b"ready\n")
    while os.read(0, 16):
        pass
    os.write(2, b"asking\n")
    with ThreadPoolExecutor(threads) as pool:
        for answer in pool.map(ask, range(threads)):
            print(answer)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "each", sys.argv[4] == "look")
