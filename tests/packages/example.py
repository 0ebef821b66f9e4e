"""Prints the header for the URL that the argument names."""

import sys

import planetkey

session = planetkey.Session.from_defaults()
for name, value in session.headers(sys.argv[1]).items():
    print(f"{name}: {value}")
