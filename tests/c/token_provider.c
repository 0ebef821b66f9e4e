/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Token providers: how the callback is called, what it may say, and its failures. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "planetkey.h"
#include "simulator.h"
#include "support.h"
#include "test.h"

#define URL "https://services.sentinel-hub.com/api/v1/catalog"
#define THREADS 32

/* A broker that gives token-1, token-2 and so on for an hour, or does what `how` says. */
struct broker {
    atomic_int calls, running, wrong, destroyed, closed;
    enum { GIVES, UNTIL, UNKNOWN, EXPIRED, HEADER, NOTHING, RETURNS, SAYS, FORWARDS, NESTS } how;
    int32_t returns;
    const planetkey_error *failure;
    planetkey_session *session;
    pthread_t thread;
    char rejected[64];
};

static int32_t obtain(void *user_data, const planetkey_token_request *request) {
    struct broker *broker = user_data;
    planetkey_error *error = NULL;
    planetkey_string *string = NULL;
    const char *rejected = planetkey_token_request_rejected_token(request);
    char token[64];
    broker->wrong += broker->running++ != 0;
    broker->thread = pthread_self();
    snprintf(token, sizeof token, "token-%d", ++broker->calls);
    while (broker->closed) {
        sched_yield();
    }
    broker->running--;
    snprintf(broker->rejected, sizeof broker->rejected, "%s", rejected ? rejected : "");
    broker->wrong += planetkey_token_request_timeout_ms(request) == 0;
    switch (broker->how) {
    case UNTIL:
        return planetkey_token_request_provide_until(request, token, (int64_t)time(NULL) + 100,
                                                     NULL);
    case UNKNOWN:
        return planetkey_token_request_provide(request, token, -1, NULL);
    case EXPIRED:
        return planetkey_token_request_provide_until(request, token, 1, NULL);
    case HEADER:
        return planetkey_token_request_provide(request, "Bearer SECRET", 3600000, NULL);
    case NOTHING:
        broker->wrong += planetkey_token_request_provide(request, NULL, 1000, &error) !=
                         PLANETKEY_STATUS_INVALID_ARGUMENT;
        planetkey_error_free(error);
        return PLANETKEY_STATUS_OK;
    case RETURNS:
        return broker->returns;
    case SAYS:
        broker->wrong += planetkey_token_request_set_message(request, "the broker is busy", 600000,
                                                             NULL) != PLANETKEY_STATUS_OK;
        return PLANETKEY_STATUS_UNAVAILABLE;
    case FORWARDS:
        broker->wrong +=
            planetkey_token_request_fail(request, broker->failure, NULL) != PLANETKEY_STATUS_OK;
        return PLANETKEY_STATUS_INTERNAL;
    case NESTS:
        broker->wrong += planetkey_session_access_token(broker->session, &string, &error) !=
                         PLANETKEY_STATUS_UNAVAILABLE;
        planetkey_error_free(error);
        break;
    case GIVES:
        break;
    }
    return planetkey_token_request_provide(request, token, 3600000, NULL);
}

static void destroy(void *user_data) { ((struct broker *)user_data)->destroyed++; }

static planetkey_session *session_of(struct broker *broker) {
    planetkey_session *session = NULL;
    CHECK_OK(
        planetkey_session_from_token_provider(obtain, broker, destroy, NULL, &session, &error));
    return session;
}

static void check_token(const planetkey_session *session, const char *wanted) {
    planetkey_string *token = NULL;
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    CHECK_TEXT(planetkey_string_data(token), wanted);
    planetkey_string_free(token);
}

/* The error of a call, to be freed. */
static planetkey_error *failure_of(const planetkey_session *session, planetkey_status wanted) {
    planetkey_string *token = NULL;
    planetkey_error *error = NULL;
    planetkey_status status = planetkey_session_access_token(session, &token, &error);
    if (!CHECK(status == wanted)) {
        fprintf(stderr, "    %d: %s\n", (int)status, planetkey_error_message(error));
    }
    CHECK(token == NULL);
    return error;
}

static void end(struct broker *broker, planetkey_session *session) {
    CHECK(broker->destroyed == 0);
    planetkey_session_free(session);
    WAIT_FOR(broker->destroyed != 0);
    CHECK(broker->destroyed == 1 && broker->wrong == 0);
}

static void a_token_is_cached(void) {
    struct broker broker = {0};
    planetkey_session *session = session_of(&broker);
    planetkey_session_info *info = NULL;
    planetkey_authorization *authorization = NULL;
    planetkey_authorization *repeat = NULL;
    CHECK(broker.calls == 0);
    check_token(session, "token-1");
    check_token(session, "token-1");
    CHECK(broker.calls == 1 && !pthread_equal(broker.thread, pthread_self()));
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK(strstr(planetkey_session_info_json(info), "\"token_provider\"") != NULL);
    planetkey_session_info_free(info);
    CHECK_OK(planetkey_session_authorize(session, URL, &authorization, &error));
    CHECK_TEXT(planetkey_authorization_header_line(authorization, 0),
               "Authorization: Bearer token-1");
    CHECK_OK(planetkey_session_after_response(session, authorization, 401, NULL, &repeat, &error));
    CHECK_TEXT(planetkey_authorization_header_value(repeat, 0), "Bearer token-2");
    CHECK_TEXT(broker.rejected, "token-1");
    planetkey_authorization_free(authorization);
    planetkey_authorization_free(repeat);
    CHECK_OK(planetkey_session_refresh(session, &error));
    check_token(session, "token-3");
    CHECK_TEXT(broker.rejected, "");
    end(&broker, session);
}

struct caller {
    const planetkey_session *session;
    const char *wanted;
    atomic_int right;
};

static void *call(void *argument) {
    struct caller *caller = argument;
    planetkey_string *token = NULL;
    if (planetkey_session_access_token(caller->session, &token, NULL) == PLANETKEY_STATUS_OK) {
        caller->right += strcmp(planetkey_string_data(token), caller->wanted) == 0;
    }
    planetkey_string_free(token);
    return NULL;
}

static void thirty_two_threads_make_one_call(void) {
    struct broker broker = {0};
    planetkey_session *session = session_of(&broker);
    for (int round = 1; round <= 3; ++round) {
        pthread_t threads[THREADS];
        char wanted[16];
        struct caller caller = {session, wanted, 0};
        snprintf(wanted, sizeof wanted, "token-%d", round);
        broker.closed = 1;
        for (int i = 0; i < THREADS; ++i) {
            CHECK(pthread_create(&threads[i], NULL, call, &caller) == 0);
        }
        WAIT_FOR(broker.calls == round);
        broker.closed = 0;
        for (int i = 0; i < THREADS; ++i) {
            pthread_join(threads[i], NULL);
        }
        CHECK(caller.right == THREADS);
        /* The token is gone, as after an expiry. */
        CHECK_OK(log_out(session, false, NULL, NULL, &error));
    }
    CHECK(broker.calls == 3);
    end(&broker, session);
}

static int64_t lifetime_of(int how) {
    struct broker broker = {0};
    planetkey_authorization *authorization = NULL;
    planetkey_session *session;
    int64_t expires_at;
    broker.how = how;
    session = session_of(&broker);
    CHECK_OK(planetkey_session_authorize(session, URL, &authorization, &error));
    expires_at = planetkey_authorization_expires_at(authorization);
    planetkey_authorization_free(authorization);
    end(&broker, session);
    return expires_at - (int64_t)time(NULL);
}

static void times(void) {
    int64_t s = lifetime_of(GIVES);
    CHECK(s > 3540 && s <= 3600);
    s = lifetime_of(UNTIL);
    CHECK(s > 40 && s <= 100);
    s = lifetime_of(UNKNOWN);
    CHECK(s > 240 && s <= 300);
}

static planetkey_error *failing(int how, int32_t returns, const planetkey_error *failure,
                                planetkey_status wanted) {
    struct broker broker = {0};
    planetkey_session *session;
    planetkey_error *error;
    broker.how = how;
    broker.returns = returns;
    broker.failure = failure;
    session = session_of(&broker);
    error = failure_of(session, wanted);
    /* The failure is shared for a while. */
    planetkey_error_free(failure_of(session, wanted));
    CHECK(broker.calls == 1);
    end(&broker, session);
    return error;
}

static void failures(void) {
    planetkey_session *logged_out = NULL;
    planetkey_error *error = NULL;
    planetkey_error *forwarded;
    error = failing(RETURNS, PLANETKEY_STATUS_DENIED, NULL, PLANETKEY_STATUS_DENIED);
    CHECK(strstr(planetkey_error_message(error), "returned 4, DENIED") != NULL);
    planetkey_error_free(error);
    error = failing(RETURNS, -7, NULL, PLANETKEY_STATUS_UNAVAILABLE);
    CHECK(strstr(planetkey_error_message(error), "returned -7") != NULL);
    planetkey_error_free(error);
    planetkey_error_free(failing(NOTHING, 0, NULL, PLANETKEY_STATUS_MISCONFIGURED));
    error = failing(HEADER, 0, NULL, PLANETKEY_STATUS_MISCONFIGURED);
    CHECK(strstr(planetkey_error_message(error), "SECRET") == NULL);
    planetkey_error_free(error);
    planetkey_error_free(failing(EXPIRED, 0, NULL, PLANETKEY_STATUS_UNAVAILABLE));
    error = failing(SAYS, 0, NULL, PLANETKEY_STATUS_UNAVAILABLE);
    CHECK_TEXT(planetkey_error_message(error), "the broker is busy");
    CHECK(planetkey_error_retry_after_ms(error) == 600000);
    planetkey_error_free(error);

    /* The error of another session. */
    CHECK_OK(planetkey_session_from_profile("planet-user", NULL, &logged_out, &error));
    error = failure_of(logged_out, PLANETKEY_STATUS_LOGIN_REQUIRED);
    forwarded = failing(FORWARDS, 0, error, PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK_TEXT(planetkey_error_message(forwarded), planetkey_error_message(error));
    CHECK_TEXT(planetkey_error_reason(forwarded), "never_logged_in");
    CHECK_TEXT(planetkey_error_profile(forwarded), "planet-user");
    planetkey_error_free(forwarded);
    planetkey_error_free(error);
    planetkey_session_free(logged_out);
}

static void a_provider_that_hangs_costs_the_deadline(void) {
    struct broker broker = {0};
    planetkey_session *session = session_of(&broker);
    planetkey_session *hasty = NULL;
    planetkey_error *error = NULL;
    CHECK_OK(planetkey_session_with_timeout_ms(session, 20, &hasty, &error));
    broker.closed = 1;
    for (int i = 0; i < 3; ++i) {
        error = failure_of(hasty, PLANETKEY_STATUS_TIMEOUT);
        CHECK(planetkey_error_retryable(error));
        planetkey_error_free(error);
    }
    broker.closed = 0;
    check_token(session, "token-1");
    CHECK(broker.calls == 1);
    planetkey_session_free(hasty);
    end(&broker, session);
}

static void it_cannot_wait_for_its_own_session(void) {
    struct broker broker = {0};
    broker.how = NESTS;
    broker.session = session_of(&broker);
    check_token(broker.session, "token-1");
    end(&broker, broker.session);
}

static void a_forked_child_calls_its_own(void) {
    struct broker broker = {0};
    planetkey_session *session = session_of(&broker);
    pid_t child;
    check_token(session, "token-1");
    child = fork();
    if (child == 0) {
        check_token(session, "token-1");
        CHECK_OK(planetkey_session_refresh(session, &error));
        check_token(session, "token-2");
        _exit(broker.wrong == 0 && broker.calls == 2 && checks_failed == 0 ? 0 : 1);
    }
    CHECK(ended(child) == 0);
    check_token(session, "token-1");
    CHECK(broker.calls == 1);
    end(&broker, session);
}

static void bad_arguments(void) {
    struct broker broker = {0};
    planetkey_session *session = NULL;
    planetkey_error *error = NULL;
    planetkey_options *options = planetkey_options_new();
    CHECK(planetkey_session_from_token_provider(NULL, &broker, destroy, NULL, &session, &error) ==
          PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(session == NULL && broker.destroyed == 1);
    planetkey_error_free(error);
    CHECK(planetkey_session_from_token_provider(obtain, &broker, destroy, NULL, NULL, NULL) ==
          PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(broker.destroyed == 2);
    CHECK_OK(planetkey_options_set_save(options, true, &error));
    CHECK(planetkey_session_from_token_provider(obtain, &broker, destroy, options, &session,
                                                &error) == PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(session == NULL && broker.destroyed == 3 && broker.calls == 0);
    planetkey_error_free(error);
    planetkey_options_free(options);
    CHECK(planetkey_token_request_timeout_ms(NULL) == 0);
    CHECK(planetkey_token_request_rejected_token(NULL) == NULL);
    CHECK(planetkey_token_request_provide(NULL, "t", 1, NULL) == PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(planetkey_token_request_provide_until(NULL, "t", 1, NULL) ==
          PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(planetkey_token_request_set_message(NULL, "t", 1, NULL) ==
          PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(planetkey_token_request_fail(NULL, NULL, NULL) == PLANETKEY_STATUS_INVALID_ARGUMENT);
}

int main(void) {
    void (*const tests[])(void) = {a_token_is_cached,
                                   thirty_two_threads_make_one_call,
                                   times,
                                   failures,
                                   a_provider_that_hangs_costs_the_deadline,
                                   it_cannot_wait_for_its_own_session,
                                   a_forked_child_calls_its_own,
                                   bad_arguments};
    simulator_start();
    /* No server is asked, so that the hosts are those of Planet. */
    unsetenv("PLANETKEY_DEPLOYMENT");
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
