/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A program that changes its environment at any time. The library reads it when a session is
 * opened, and not later: getenv() on one of its threads would race with setenv() of the program. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

extern char **environ;

static atomic_int watching;
static atomic_int reads;
static char first_read[64];

/* The library calls this function instead of the C library's. */
char *getenv(const char *name) {
    size_t length = strlen(name);
    if (atomic_load(&watching) && atomic_fetch_add(&reads, 1) == 0) {
        snprintf(first_read, sizeof first_read, "%s", name);
    }
    for (char **entry = environ; *entry; ++entry) {
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') {
            return *entry + length + 1;
        }
    }
    return NULL;
}

static planetkey_session *in_memory(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *session;
    CHECK_OK(planetkey_options_set_save(options, false, &error));
    session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    return session;
}

static planetkey_session *of_planet(void) {
    planetkey_options *options = planetkey_options_new();
    planetkey_session *session;
    CHECK_OK(planetkey_options_set_deployment(options, "planet", &error));
    CHECK_OK(planetkey_options_set_save(options, false, &error));
    session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    return session;
}

static void i9_11_nothing_is_read_after_the_session_is_open(void) {
    planetkey_session *sessions[3];
    simulator_log_in(NULL);
    CHECK(setenv("HTTPS_PROXY", simulator_variable("PLANETKEY_SIMULATOR_PROXY"), 1) == 0);
    CHECK(setenv("REQUESTS_CA_BUNDLE", simulator_variable("PLANETKEY_SIMULATOR_CA"), 1) == 0);
    sessions[0] = simulator_user_session();
    sessions[1] = in_memory();
    sessions[2] = of_planet();
    /* The values that were read remain in use. */
    CHECK(setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1) == 0);
    CHECK(setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem", 1) == 0);
    CHECK(setenv("SSL_CERT_FILE", "/nowhere/ca.pem", 1) == 0);
    atomic_store(&watching, 1);
    for (int i = 0; i < 3; ++i) {
        CHECK_OK(planetkey_session_refresh(sessions[i], &error));
    }
    CHECK(planetkey_settle(30000));
    atomic_store(&watching, 0);
    CHECK(simulator_count("proxy") == 1);
    if (!CHECK(atomic_load(&reads) == 0)) {
        fprintf(stderr, "    %d reads, the first of %s\n", atomic_load(&reads), first_read);
    }
    for (int i = 0; i < 3; ++i) {
        planetkey_session_free(sessions[i]);
    }
    unsetenv("HTTPS_PROXY");
    unsetenv("REQUESTS_CA_BUNDLE");
    unsetenv("SSL_CERT_FILE");
}

enum { REFRESHES = 20 };

static atomic_int refreshing;

static void *refresh(void *argument) {
    planetkey_session *session = argument;
    intptr_t failures = 0;
    for (int i = 0; i < REFRESHES; ++i) {
        failures += planetkey_session_refresh(session, NULL) != PLANETKEY_STATUS_OK;
    }
    atomic_fetch_sub(&refreshing, 1);
    return (void *)failures;
}

/* On one thread, because setenv() on two at once is an error of the program. The list of variables
 * grows and moves. */
static void *change(void *argument) {
    char name[32];
    char value[512];
    (void)argument;
    for (int i = 0; atomic_load(&refreshing) > 0; ++i) {
        snprintf(name, sizeof name, "HOST_VARIABLE_%d", i % 512);
        memset(value, 'a' + i % 26, sizeof value);
        value[i % (int)sizeof value] = '\0';
        setenv(name, value, 1);
        if (i % 3 == 0) {
            unsetenv(name);
        }
    }
    return NULL;
}

static void i9_11_the_host_may_change_its_environment_during_a_refresh(void) {
    planetkey_session *sessions[4];
    pthread_t threads[4], changing;
    for (int i = 0; i < 4; ++i) {
        sessions[i] = in_memory();
    }
    atomic_store(&refreshing, 4);
    CHECK(pthread_create(&changing, NULL, change, NULL) == 0);
    for (int i = 0; i < 4; ++i) {
        CHECK(pthread_create(&threads[i], NULL, refresh, sessions[i]) == 0);
    }
    for (int i = 0; i < 4; ++i) {
        void *failures = NULL;
        pthread_join(threads[i], &failures);
        CHECK(failures == NULL);
        planetkey_session_free(sessions[i]);
    }
    pthread_join(changing, NULL);
}

int main(void) {
    simulator_start();
    i9_11_nothing_is_read_after_the_session_is_open();
    i9_11_the_host_may_change_its_environment_during_a_refresh();
    simulator_end();
    return finish();
}
