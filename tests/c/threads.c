/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Many threads, one session: they share one token request and one failure, and no thread with a
 * valid token waits. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "simulator.h"
#include "test.h"

#define THREADS 32

struct caller {
    pthread_t thread;
    const planetkey_session *session;
    planetkey_status status;
    planetkey_string *token;
    planetkey_error *error;
};

static pthread_barrier_t together;
static char api_url[1024];

static void *ask_for_token(void *argument) {
    struct caller *caller = argument;
    pthread_barrier_wait(&together);
    caller->status =
        planetkey_session_access_token(caller->session, &caller->token, &caller->error);
    return NULL;
}

/* All threads need a token at once. The authorization server holds the request until all have
 * started. */
static void ask(const planetkey_session *session, struct caller *callers) {
    pthread_barrier_init(&together, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; ++i) {
        callers[i] = (struct caller){.session = session};
        CHECK(pthread_create(&callers[i].thread, NULL, ask_for_token, &callers[i]) == 0);
    }
    pthread_barrier_wait(&together);
    simulator_wait_held("gate", 1);
    simulator_release("gate");
    for (int i = 0; i < THREADS; ++i) {
        pthread_join(callers[i].thread, NULL);
    }
    pthread_barrier_destroy(&together);
}

static void all_have(const char *token, struct caller *callers) {
    for (int i = 0; i < THREADS; ++i) {
        CHECK(callers[i].status == PLANETKEY_STATUS_OK && callers[i].error == NULL);
        CHECK_TEXT(planetkey_string_data(callers[i].token),
                   token ? token : planetkey_string_data(callers[0].token));
    }
}

static void let_go(struct caller *callers) {
    for (int i = 0; i < THREADS; ++i) {
        planetkey_string_free(callers[i].token);
        planetkey_error_free(callers[i].error);
    }
}

static void one_request_at_first_use_and_at_expiry(void) {
    planetkey_session *session = simulator_m2m_session();
    struct caller callers[THREADS];
    char *first;
    bool will_refresh = false;

    simulator_script("m2m.token", "[{\"hold\":\"gate\"}]", 0);
    ask(session, callers);
    all_have(NULL, callers);
    CHECK(simulator_count("m2m.token") == 1);
    first = malloc(planetkey_string_length(callers[0].token) + 1);
    strcpy(first, planetkey_string_data(callers[0].token));
    let_go(callers);

    CHECK_OK(planetkey_session_invalidate(session, first, &will_refresh, &error));
    CHECK(will_refresh);
    simulator_script("m2m.token", "[{\"hold\":\"gate\"}]", 0);
    ask(session, callers);
    all_have(NULL, callers);
    CHECK(strcmp(planetkey_string_data(callers[0].token), first) != 0);
    CHECK(simulator_count("m2m.token") == 2);
    let_go(callers);
    free(first);
    planetkey_session_free(session);
}

static void one_failure_for_all(void) {
    planetkey_session *session = simulator_m2m_session();
    struct caller callers[THREADS];
    simulator_script("m2m.token",
                     "[{\"hold\":\"gate\",\"status\":401,\"json\":{\"error\":\"invalid_client\","
                     "\"error_description\":\"no\"}}]",
                     1);
    ask(session, callers);
    CHECK(simulator_count("m2m.token") == 1);
    for (int i = 0; i < THREADS; ++i) {
        CHECK(callers[i].status == PLANETKEY_STATUS_MISCONFIGURED && callers[i].token == NULL);
        CHECK_TEXT(planetkey_error_oauth_error(callers[i].error), "invalid_client");
        CHECK(planetkey_error_http_status(callers[i].error) == 401);
        CHECK_TEXT(planetkey_error_message(callers[i].error),
                   planetkey_error_message(callers[0].error));
    }
    let_go(callers);
    planetkey_session_free(session);
}

static void *refresh(void *argument) {
    struct caller *caller = argument;
    caller->status = planetkey_session_refresh(caller->session, &caller->error);
    return NULL;
}

/* The server holds the refresh. A call that waited for it would not return. */
static void no_caller_with_a_valid_token_waits(void) {
    planetkey_session *session = simulator_m2m_session();
    struct caller refreshing = {.session = session};
    planetkey_string *before = NULL;
    planetkey_authorization *authorization = NULL;
    CHECK_OK(planetkey_session_access_token(session, &before, &error));
    simulator_script("m2m.token", "[{\"hold\":\"gate\"}]", 0);
    CHECK(pthread_create(&refreshing.thread, NULL, refresh, &refreshing) == 0);
    simulator_wait_held("gate", 1);
    for (int i = 0; i < 100; ++i) {
        CHECK_OK(planetkey_session_authorize(session, api_url, &authorization, &error));
        CHECK_TEXT(planetkey_authorization_header_value(authorization, 0) + 7,
                   planetkey_string_data(before));
        planetkey_authorization_free(authorization);
    }
    simulator_release("gate");
    pthread_join(refreshing.thread, NULL);
    CHECK(refreshing.status == PLANETKEY_STATUS_OK && refreshing.error == NULL);
    CHECK(simulator_count("m2m.token") == 2);
    planetkey_string_free(before);
    planetkey_session_free(session);
}

static atomic_int wrong;

/* For threads other than that of main(): counts failures, and frees the error. */
static void must(planetkey_status status, planetkey_status expected, planetkey_error **error) {
    if (status != expected || planetkey_error_status(*error) != expected) {
        const char *message = planetkey_error_message(*error);
        ++wrong;
        fprintf(stderr, "%s, %s\n", planetkey_status_name((int32_t)status),
                message ? message : "no error object");
    }
    planetkey_error_free(*error);
    *error = NULL;
}

/* All functions at once on one handle, each thread with its own count, with errors in between. */
static void *everything(void *argument) {
    const planetkey_session *shared = argument;
    planetkey_session *session = planetkey_session_clone(shared);
    char line[8192];
    pthread_barrier_wait(&together);
    for (int i = 0; i < 200; ++i) {
        planetkey_authorization *authorization = NULL;
        planetkey_authorization *refused = NULL;
        planetkey_session_info *info = NULL;
        planetkey_string *token = NULL;
        planetkey_error *error = NULL;
        bool will_refresh = false;
        must(planetkey_session_authorize(session, api_url, &authorization, &error),
             PLANETKEY_STATUS_OK, &error);
        must(planetkey_session_copy_header(session, api_url, line, sizeof line, NULL, &error),
             PLANETKEY_STATUS_OK, &error);
        must(planetkey_session_get_info(session, &info, &error), PLANETKEY_STATUS_OK, &error);
        must(planetkey_session_access_token(session, &token, &error), PLANETKEY_STATUS_OK, &error);
        must(planetkey_session_headers(session, "https://example.com/", &refused, &error),
             PLANETKEY_STATUS_HOST_REFUSED, &error);
        if (i == 100) {
            must(planetkey_session_invalidate(session, planetkey_string_data(token), &will_refresh,
                                              &error),
                 PLANETKEY_STATUS_OK, &error);
        }
        planetkey_string_free(token);
        planetkey_session_info_free(info);
        planetkey_authorization_free(authorization);
    }
    planetkey_session_free(session);
    return NULL;
}

static void everything_at_once(void) {
    planetkey_session *session = simulator_m2m_session();
    pthread_t threads[8];
    pthread_barrier_init(&together, NULL, 8);
    for (int i = 0; i < 8; ++i) {
        CHECK(pthread_create(&threads[i], NULL, everything, session) == 0);
    }
    for (int i = 0; i < 8; ++i) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&together);
    CHECK(wrong == 0);
    /* Eight threads invalidated their token, some of them the same one. */
    CHECK(simulator_count("m2m.token") >= 2 && simulator_count("m2m.token") <= 9);
    planetkey_session_free(session);
}

int main(void) {
    void (*const tests[])(void) = {one_request_at_first_use_and_at_expiry, one_failure_for_all,
                                   no_caller_with_a_valid_token_waits, everything_at_once};
    simulator_start();
    snprintf(api_url, sizeof api_url, "%s",
             simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/item-types"));
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
