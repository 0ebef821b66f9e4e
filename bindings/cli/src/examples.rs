//! The examples at the end of each command's help.

pub(crate) const ALL: &str = "\
Examples:
  planetkey login                       log in as a user, or
  export PL_API_KEY=...                 use an API key, or
  export PL_AUTH_CLIENT_ID=... PL_AUTH_CLIENT_SECRET=...
  planetkey login --with-api-key        save one of them
  planetkey status                      show what was found, and what each host gets

  url=https://api.planet.com/basemaps/v1/mosaics
  header=$(planetkey header \"$url\") &&
      printf '%s\\n' \"$header\" | curl -H @- \"$url\"

The result is alone on standard output, everything else on standard error. The
exit code is the number of the error's status: 1 INVALID_ARGUMENT, 2 MISCONFIGURED,
3 LOGIN_REQUIRED, 4 DENIED, 5 HOST_REFUSED, 6 UNAVAILABLE, 7 TIMEOUT, ...";

pub(crate) const HEADER: &str = "\
Examples:
  url=https://services.sentinel-hub.com/api/v1/catalog/1.0.0/
  header=$(planetkey header \"$url\") &&
      printf '%s\\n' \"$header\" | curl -H @- \"$url\"

In this form the list of processes does not show the credential to other users,
and nothing is sent if there is none for this URL.";

pub(crate) const URL: &str = "\
Examples:
  planetkey url 'https://tiles.planet.com/basemaps/v1/planet-tiles/NAME/gmap/{z}/{x}/{y}.png'

A URL with a key in it ends up in logs and histories. Use `planetkey header` if
the program can send a header.";

pub(crate) const TOKEN: &str = "\
Examples:
  token=$(planetkey print-access-token) &&
      printf 'Authorization: Bearer %s\\n' \"$token\" |
      curl -H @- https://services.sentinel-hub.com/api/v1/catalog/1.0.0/

`planetkey header URL` does the same and also checks that the token may go there.
With --json other programs read the token, its expiry and its headers.";

pub(crate) const KEY: &str = "\
Examples:
  key=$(planetkey print-api-key)
  planetkey --auth-api-key-file key.txt print-api-key";

pub(crate) const STATUS: &str = "\
Examples:
  planetkey status
  planetkey status --json
  planetkey --deployment copernicus-data-space status

The command uses no network and shows no secret.";

pub(crate) const LOGIN: &str = "\
Examples:
  planetkey login                           in the browser, or with a code
  planetkey login --device --show-qr-code   with a code, on any device
  planetkey login --profile second-account --force
  planetkey login --with-api-key            asks for the key
  planetkey login --auth-api-key-file key.txt
  planetkey login --auth-client-id ID       asks for the client's secret
  pass show planet/secret |
      planetkey login --auth-client-id ID --auth-client-secret-file - --yes

Without a credential in options or environment a user logs in, to the default
profile, else to planet-user. A valid session stays as it is, and an expired one
is refreshed. Otherwise planetkey prompts on standard error. Ctrl-C cancels.

An API key is saved in the profile _PL_API_KEY, a client in planet-m2m-ID, unless
--profile names another. A client is verified before anything is written.
Planet's own tools use all of them, too.";

pub(crate) const REFRESH: &str = "\
Examples:
  planetkey refresh
  planetkey refresh --profile planet-user --json";

pub(crate) const LOGOUT: &str = "\
Examples:
  planetkey logout
  planetkey logout --profile planet-user --json

The authorization server revokes the refresh token. If it cannot be reached the
session is deleted nevertheless, and the message says that the token may still
be valid. Every process that shares the session notices within a second. The
client of a profile and an API key stay: `planetkey profile delete` deletes them.";

pub(crate) const USERINFO: &str = "\
Examples:
  planetkey userinfo
  planetkey userinfo --json

More than the subject needs the scopes openid, profile and email:
  planetkey login --force --scope planet --scope offline_access \\
      --scope openid --scope profile --scope email";

pub(crate) const INTROSPECT: &str = "\
Examples:
  planetkey introspect --json
  planetkey introspect --token-file token.txt

The output is the response of the authorization server (RFC 7662).";

pub(crate) const PROFILE: &str = "\
Examples:
  planetkey profile list --long
  planetkey profile set planet-user
  planetkey profile copy planet-user second-account

Profiles are the directories of ~/.planet, shared with Planet's own tools.";

pub(crate) const LIST: &str = "\
Examples:
  planetkey profile list
  planetkey profile list --long --json

The default profile is marked with *. No secret is shown.";

pub(crate) const SHOW: &str = "\
Examples:
  planetkey profile show
  planetkey profile show planet-user --json";

pub(crate) const SET: &str = "\
Examples:
  planetkey profile set planet-user

The name is written to ~/.planet.json, which Planet's own tools read, too. The
options of a command and the environment take precedence.";

pub(crate) const COPY: &str = "\
Examples:
  planetkey profile copy planet-user second-account

The client is copied, with its secret if it has one. Tokens are not copied.";

pub(crate) const DELETE: &str = "\
Examples:
  planetkey profile delete second-account
  planetkey profile delete second-account --yes";

pub(crate) const RESET: &str = "\
Examples:
  planetkey reset
  planetkey reset --yes --json

~/.planet.json and ~/.planet are renamed, with the time added to their names, and
can be renamed back. Secrets in them stay on the disk until you delete them.
Nothing is revoked.";
