"""browser.py NAME PASSWORD URL: the browser that a program opens, with a user who logs in."""

import sys

from user import User

name, password, url = sys.argv[1:]
user = User(name, password)
user.deliver(user.go_through(url).url)
