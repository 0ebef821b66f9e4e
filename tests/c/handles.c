/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Handles on many threads: counts, all functions at once on one handle, and threads with a small
 * stack. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

#define THREADS 64
#define SMALL_STACK (64 * 1024)

static char api_url[1024];
static pthread_barrier_t together;
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

/* Each thread has its own count. The first free does not affect the others. */
static void *use_and_free(void *argument) {
    planetkey_session *session = argument;
    planetkey_session *copy = planetkey_session_clone(session);
    planetkey_session *hurried = NULL;
    planetkey_authorization *authorization = NULL;
    planetkey_session_info *info = NULL;
    planetkey_string *token = NULL;
    planetkey_error *error = NULL;
    planetkey_error *first = NULL;
    pthread_barrier_wait(&together);
    must(planetkey_session_with_timeout_ms(session, 20000, &hurried, &error), PLANETKEY_STATUS_OK,
         &error);
    planetkey_session_free(session);
    must(planetkey_session_authorize(copy, api_url, &authorization, &error), PLANETKEY_STATUS_OK,
         &error);
    must(planetkey_session_get_info(copy, &info, &error), PLANETKEY_STATUS_OK, &error);
    planetkey_session_free(copy);
    must(planetkey_session_access_token(hurried, &token, &error), PLANETKEY_STATUS_OK, &error);
    if (planetkey_session_headers(hurried, "https://example.com/", NULL, &first) ==
        PLANETKEY_STATUS_OK) {
        ++wrong;
    }
    planetkey_session_free(hurried);
    /* Handles made from a session do not depend on it. */
    wrong += strcmp(planetkey_authorization_header_value(authorization, 0) + 7,
                    planetkey_string_data(token)) != 0;
    wrong += strcmp(planetkey_session_info_kind(info, 0), "access_token") != 0;
    wrong += planetkey_error_message(first) == NULL;
    planetkey_authorization_free(authorization);
    planetkey_session_info_free(info);
    planetkey_string_free(token);
    planetkey_error_free(first);
    return NULL;
}

static void f112_a_handle_lives_until_its_last_count_is_freed(void) {
    planetkey_session *session = simulator_m2m_session();
    pthread_t threads[THREADS];
    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; ++i) {
        CHECK(pthread_create(&threads[i], NULL, use_and_free, planetkey_session_clone(session)) ==
              0);
        if (i == 0) {
            /* The first count is freed before most threads start. */
            planetkey_session_free(session);
            session = planetkey_session_clone(session);
        }
    }
    planetkey_session_free(session);
    for (int i = 0; i < THREADS; ++i) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&together);
    CHECK(wrong == 0);
    CHECK(simulator_count("m2m.token") == 1);
}

/* All functions on one handle without additional counts, which `const` allows. */
static void *do_everything(void *argument) {
    const planetkey_session *session = argument;
    static atomic_int turns;
    int turn = atomic_fetch_add(&turns, 1);
    char line[8192];
    pthread_barrier_wait(&together);
    for (int i = 0; i < 4; ++i) {
        planetkey_authorization *authorization = NULL;
        planetkey_authorization *repeat = NULL;
        planetkey_session_info *info = NULL;
        planetkey_string *string = NULL;
        planetkey_string *token = NULL;
        planetkey_error *error = NULL;
        bool answer = false;
        must(planetkey_session_authorize(session, api_url, &authorization, &error),
             PLANETKEY_STATUS_OK, &error);
        planetkey_authorization_free(authorization);
        must(planetkey_session_headers(session, api_url, &authorization, &error),
             PLANETKEY_STATUS_OK, &error);
        planetkey_authorization_free(authorization);
        must(planetkey_session_headers_cached(session, api_url, &authorization, &error),
             PLANETKEY_STATUS_OK, &error);
        planetkey_authorization_free(authorization);
        must(planetkey_session_copy_header(session, api_url, line, sizeof line, NULL, &error),
             PLANETKEY_STATUS_OK, &error);
        must(planetkey_session_access_token(session, &token, &error), PLANETKEY_STATUS_OK, &error);
        must(planetkey_session_get_info(session, &info, &error), PLANETKEY_STATUS_OK, &error);
        must(planetkey_session_signed_url(session, api_url, &string, &error),
             PLANETKEY_STATUS_UNSUPPORTED, &error);
        must(planetkey_session_api_key(session, &string, &error), PLANETKEY_STATUS_UNSUPPORTED,
             &error);
        wrong += !planetkey_session_is_initialized(session);
        switch ((turn + i) % 8) {
        case 0:
            must(planetkey_session_refresh(session, &error), PLANETKEY_STATUS_OK, &error);
            break;
        case 1:
            must(planetkey_session_invalidate(session, planetkey_string_data(token), &answer,
                                              &error),
                 PLANETKEY_STATUS_OK, &error);
            break;
        case 2:
            must(planetkey_session_authorize_if_served(session, api_url, &authorization, &error),
                 PLANETKEY_STATUS_OK, &error);
            must(planetkey_session_after_response(session, authorization, 401, NULL, &repeat,
                                                  &error),
                 PLANETKEY_STATUS_OK, &error);
            planetkey_authorization_free(authorization);
            planetkey_authorization_free(repeat);
            break;
        case 3:
            must(log_out(session, true, &answer, NULL, &error), PLANETKEY_STATUS_OK, &error);
            break;
        default:
            break;
        }
        planetkey_session_info_free(info);
        planetkey_string_free(token);
    }
    return NULL;
}

static void everything_at_once(planetkey_session *session) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; ++i) {
        CHECK(pthread_create(&threads[i], NULL, do_everything, session) == 0);
    }
    for (int i = 0; i < THREADS; ++i) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&together);
    CHECK(wrong == 0);
    planetkey_session_free(session);
}

static void f113_64_threads_do_everything_with_one_handle(void) {
    planetkey_options *options = simulator_options();
    everything_at_once(simulator_m2m_session());
    CHECK_OK(planetkey_options_set_save(options, false, &error));
    everything_at_once(simulator_m2m_session_with(options));
    planetkey_options_free(options);
}

/* A JSON text whose member "deep" is a list in a list in a list. Free it with free(). */
static char *with_depth(const char *object, int depth) {
    size_t length = strlen(object);
    char *text = malloc(length + 2 * (size_t)depth + 16);
    char *end = text + length - 1;
    while (*(object + (end - text)) != '}') {
        --end;
    }
    memcpy(text, object, (size_t)(end - text));
    end += sprintf(end, ",\"deep\":");
    memset(end, '[', (size_t)depth);
    memset(end + depth, ']', (size_t)depth);
    strcpy(end + 2 * depth, "}");
    return text;
}

/* Functions that parse, format or fail, on the thread's own stack. */
static void *use_little_stack(void *argument) {
    const char *config = argument;
    const planetkey_options *options = simulator_options();
    planetkey_session *session = NULL;
    planetkey_session *user = NULL;
    planetkey_session *saved = NULL;
    planetkey_authorization *authorization = NULL;
    planetkey_session_info *info = NULL;
    planetkey_string *token = NULL;
    planetkey_login *login = NULL;
    planetkey_authorization *repeat = NULL;
    planetkey_error *error = NULL;
    char *location;
    must(planetkey_session_from_client_config(config, options, &session, &error),
         PLANETKEY_STATUS_OK, &error);
    must(planetkey_session_headers(session, api_url, &authorization, &error), PLANETKEY_STATUS_OK,
         &error);
    planetkey_authorization_free(authorization);
    must(planetkey_session_refresh(session, &error), PLANETKEY_STATUS_OK, &error);
    must(planetkey_session_get_info(session, &info, &error), PLANETKEY_STATUS_OK, &error);
    planetkey_session_info_free(info);
    must(planetkey_session_access_token(session, &token, &error), PLANETKEY_STATUS_OK, &error);
    must(planetkey_session_headers(session, api_url, &authorization, &error), PLANETKEY_STATUS_OK,
         &error);
    must(planetkey_session_after_response(
             session, authorization, 401,
             "Basic realm=\"a, \\\"b\\\"\", Bearer realm=\"x\", error=\"invalid_token\"", &repeat,
             &error),
         PLANETKEY_STATUS_OK, &error);
    planetkey_authorization_free(authorization);
    planetkey_authorization_free(repeat);
    planetkey_string_free(token);
    must(planetkey_session_authorize(session, "https://example.com/", &authorization, &error),
         PLANETKEY_STATUS_HOST_REFUSED, &error);
    must(planetkey_session_logout(session, true, NULL, &error), PLANETKEY_STATUS_OK, &error);
    planetkey_session_free(session);
    /* The first caller reads the file. */
    must(planetkey_session_from_profile("planet-user", options, &user, &error), PLANETKEY_STATUS_OK,
         &error);
    must(planetkey_session_headers(user, api_url, &authorization, &error), PLANETKEY_STATUS_OK,
         &error);
    planetkey_authorization_free(authorization);
    must(planetkey_session_refresh(user, &error), PLANETKEY_STATUS_OK, &error);
    must(planetkey_session_start_browser_login(user, NULL, &login, &error), PLANETKEY_STATUS_OK,
         &error);
    planetkey_string_free(planetkey_login_qr_code(login, false));
    location = simulator_log_in_in_browser(planetkey_login_authorization_url(login),
                                           "\"username\":\"simulator-user\"");
    must(planetkey_login_complete(login, location, NULL, &error), PLANETKEY_STATUS_OK, &error);
    free(location);
    planetkey_login_free(login);
    must(planetkey_session_introspect(user, NULL, &token, &error), PLANETKEY_STATUS_OK, &error);
    planetkey_string_free(token);
    planetkey_session_free(user);
    must(planetkey_session_from_profile("deep", options, &saved, &error), PLANETKEY_STATUS_OK,
         &error);
    must(planetkey_session_headers(saved, api_url, &authorization, &error), PLANETKEY_STATUS_OK,
         &error);
    planetkey_authorization_free(authorization);
    planetkey_session_free(saved);
    must(planetkey_session_from_defaults(options, &saved, &error), PLANETKEY_STATUS_OK, &error);
    must(planetkey_session_headers(saved, api_url, &authorization, &error), PLANETKEY_STATUS_OK,
         &error);
    planetkey_authorization_free(authorization);
    planetkey_session_free(saved);
    planetkey_options_free((planetkey_options *)options);
    return NULL;
}

static void on_a_small_stack(char *config) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstacksize(&attributes, SMALL_STACK) == 0);
    CHECK(pthread_create(&thread, &attributes, use_little_stack, config) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    CHECK(wrong == 0);
}

static void f117_a_thread_with_64_kib_of_stack(void) {
    char config[2048];
    char *response = simulator_seed(NULL);
    char *deep_config;
    char *deep_response = with_depth(response, 120);
    snprintf(config, sizeof config,
             "{\"client_type\":\"oidc_client_credentials_secret\",\"auth_server\":\"%s\",\"client_"
             "id\":\"%s\",\"client_secret\":\"%s\"}",
             simulator_variable("PLANETKEY_SIMULATOR_M2M"), simulator_variable("PL_AUTH_CLIENT_ID"),
             simulator_variable("PL_AUTH_CLIENT_SECRET"));
    deep_config = with_depth(config, 120);
    write_text(home_file(".planet/planet-user/token.json"), deep_response);
    write_text(home_file(".planet/deep/auth_client.json"), deep_config);
    on_a_small_stack(deep_config);
    free(response);
    free(deep_response);
    free(deep_config);
}

int main(void) {
    void (*const tests[])(void) = {f112_a_handle_lives_until_its_last_count_is_freed,
                                   f113_64_threads_do_everything_with_one_handle,
                                   f117_a_thread_with_64_kib_of_stack};
    simulator_start();
    snprintf(api_url, sizeof api_url, "%s",
             simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/item-types"));
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        wrong = 0;
        tests[i]();
    }
    simulator_end();
    return finish();
}
