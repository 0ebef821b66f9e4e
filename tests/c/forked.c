/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A child made by fork() goes on with its parent's session. valgrind counts what the parent's other threads held as lost in
 * the child, so this program runs there without the check for leaks. */
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "simulator.h"
#include "test.h"

/* The child uses the token of its parent, and renews it with a connection of its own. */
static void forked(void) {
    planetkey_session *session = simulator_m2m_session();
    planetkey_string *token = NULL;
    planetkey_string *renewed = NULL;
    int status = -1;
    pid_t child;
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    child = fork();
    if (child == 0) {
        int good = planetkey_session_access_token(session, &renewed, NULL) == PLANETKEY_STATUS_OK &&
                   strcmp(planetkey_string_data(renewed), planetkey_string_data(token)) == 0 &&
                   planetkey_session_refresh(session, NULL) == PLANETKEY_STATUS_OK;
        planetkey_string_free(renewed);
        renewed = NULL;
        good = good && planetkey_session_access_token(session, &renewed, NULL) == PLANETKEY_STATUS_OK &&
               strcmp(planetkey_string_data(renewed), planetkey_string_data(token)) != 0;
        planetkey_string_free(renewed);
        planetkey_string_free(token);
        planetkey_session_free(session);
        _exit(good ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_OK(planetkey_session_refresh(session, &error));
    CHECK(simulator_count("m2m.token") == 3);
    planetkey_string_free(token);
    planetkey_session_free(session);
}

int main(void) {
    simulator_start();
    forked();
    simulator_end();
    return finish();
}
