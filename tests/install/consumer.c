/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A program of a user, built against the installed library. It authorizes one request to each
 * domain. */
#include <planetkey.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int show(const planetkey_session *session, const char *url, const char *credential) {
    planetkey_authorization *authorization = NULL;
    planetkey_error *error = NULL;
    int good =
        planetkey_session_authorize(session, url, &authorization, &error) == PLANETKEY_STATUS_OK &&
        strcmp(planetkey_authorization_credential(authorization), credential) == 0;
    if (good) {
        printf("%s: %s\n", planetkey_authorization_credential(authorization),
               planetkey_authorization_source(authorization));
    } else {
        fprintf(stderr, "%s: %s\n", url,
                error ? planetkey_error_message(error) : "not the credential that was expected");
    }
    planetkey_error_free(error);
    planetkey_authorization_free(authorization);
    return good;
}

int main(void) {
    planetkey_options *options = planetkey_options_new();
    planetkey_session *key = NULL;
    planetkey_session *session = NULL;
    planetkey_error *error = NULL;
    int good = 0;
    if (strcmp(planetkey_version(), PLANETKEY_VERSION) != 0 ||
        planetkey_abi_version() != PLANETKEY_ABI_VERSION) {
        fprintf(stderr, "compiled with %s, runs with %s\n", PLANETKEY_VERSION, planetkey_version());
    } else if (planetkey_options_set_allow_insecure_loopback(options, true, &error) !=
                   PLANETKEY_STATUS_OK ||
               planetkey_session_from_defaults(options, &session, &error) != PLANETKEY_STATUS_OK ||
               planetkey_session_from_api_key(getenv("PL_API_KEY"),
                                              PLANETKEY_API_KEY_TRANSPORT_BASIC, options, &key,
                                              &error) != PLANETKEY_STATUS_OK) {
        fprintf(stderr, "%s\n", planetkey_error_message(error));
    } else {
        good = show(session, getenv("PLANETKEY_SIMULATOR_SENTINEL_HUB_API"), "access_token") &&
               show(key, getenv("PLANETKEY_SIMULATOR_PLANET_API"), "api_key");
    }
    planetkey_error_free(error);
    planetkey_session_free(session);
    planetkey_session_free(key);
    planetkey_options_free(options);
    return good ? 0 : 1;
}
