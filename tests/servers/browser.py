"""browser.py NAME PASSWORD URL: a browser that a program opens, and the person before it."""

import sys

from person import Person

name, password, url = sys.argv[1:]
person = Person(name, password)
person.deliver(person.go_through(url).url)
