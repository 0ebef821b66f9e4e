/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Device code and browser logins: waited for, polled, completed, cancelled, and freed while
 * pending. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

static planetkey_session *session;

static planetkey_login *on_device(void) {
    planetkey_login *login = NULL;
    CHECK_OK(planetkey_session_start_device_login(session, NULL, &login, &error));
    return login;
}

static planetkey_login *in_browser(void) {
    planetkey_login *login = NULL;
    CHECK_OK(planetkey_session_start_browser_login(session, NULL, &login, &error));
    return login;
}

/* A user logs in in a browser, which is then redirected to the program. `page`, if not NULL,
 * receives what it shows. */
static void log_in_in_browser(const planetkey_login *login, const char *members, char **page) {
    char *location = simulator_log_in_in_browser(planetkey_login_authorization_url(login), members);
    CHECK(simulator_get(location, NULL, page) == 200);
    free(location);
}

static void authorizes_as(const char *subject) {
    planetkey_authorization *authorization = NULL;
    char *body = NULL;
    cJSON *json;
    const char *url = simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/item-types");
    CHECK_OK(planetkey_session_headers(session, url, &authorization, &error));
    CHECK(simulator_get(url, planetkey_authorization_header_line(authorization, 0), &body) == 200);
    json = cJSON_Parse(body);
    CHECK_TEXT(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "authenticated_as")),
               subject);
    cJSON_Delete(json);
    free(body);
    planetkey_authorization_free(authorization);
}

struct waiter {
    pthread_t thread;
    planetkey_login *login;
    planetkey_status status;
    planetkey_login_result *result;
    planetkey_error *error;
};

static void *wait_for_it(void *argument) {
    struct waiter *waiter = argument;
    waiter->status = planetkey_login_wait(waiter->login, 0, &waiter->result, &waiter->error);
    return NULL;
}

static void start_waiting(struct waiter *waiter, planetkey_login *login) {
    *waiter = (struct waiter){.login = login};
    CHECK(pthread_create(&waiter->thread, NULL, wait_for_it, waiter) == 0);
}

static void has_ended(struct waiter *waiter, planetkey_status expected) {
    pthread_join(waiter->thread, NULL);
    check_status_(waiter->status, expected, waiter->error, __FILE__, __LINE__, "wait");
    CHECK((waiter->result != NULL) == (expected == PLANETKEY_STATUS_OK));
    planetkey_login_result_free(waiter->result);
}

static void on_a_device(void) {
    planetkey_login *login = on_device();
    planetkey_login_result *result = NULL;
    planetkey_string *blocks = planetkey_login_qr_code(login, false);
    planetkey_string *ascii = planetkey_login_qr_code(login, true);
    char *saved;
    cJSON *json;

    CHECK(strstr(planetkey_login_verification_uri_complete(login),
                 planetkey_login_user_code(login)) != NULL);
    CHECK(strncmp(planetkey_login_verification_uri(login), "http://127.0.0.1", 16) == 0);
    CHECK(planetkey_login_expires_in_ms(login) > 800000 &&
          planetkey_login_expires_in_ms(login) <= 900000);
    CHECK(planetkey_login_authorization_url(login) == NULL &&
          planetkey_login_redirect_uri(login) == NULL);
    CHECK(planetkey_string_length(blocks) > 500 &&
          strstr(planetkey_string_data(blocks), "\xe2\x96\x88") != NULL);
    CHECK(strspn(planetkey_string_data(ascii), "# \n") == planetkey_string_length(ascii));
    planetkey_string_free(blocks);
    planetkey_string_free(ascii);

    /* The wait timed out, and the login is still pending. */
    CHECK_STATUS(planetkey_login_wait(login, 1, &result, &error), PLANETKEY_STATUS_TIMEOUT);
    CHECK(result == NULL);
    CHECK(!planetkey_session_is_initialized(session));
    CHECK_STATUS(
        planetkey_login_complete(login, "http://127.0.0.1/callback?code=c", &result, &error),
        PLANETKEY_STATUS_UNSUPPORTED);
    simulator_log_in_on_device(planetkey_login_user_code(login), "\"username\":\"ada\"");
    CHECK_OK(planetkey_login_wait(login, 0, &result, &error));
    CHECK(planetkey_login_result_prompted(result));
    CHECK_TEXT(planetkey_login_result_subject(result), "user|ada");
    CHECK(planetkey_login_result_email(result) == NULL);
    CHECK(planetkey_login_result_scope_count(result) == 2);
    CHECK_TEXT(planetkey_login_result_scope(result, 0), "planet");
    CHECK_TEXT(planetkey_login_result_scope(result, 1), "offline_access");
    CHECK(planetkey_login_result_scope(result, 2) == NULL);
    CHECK(planetkey_login_result_expires_at(result) > 1700000000);
    CHECK_TEXT(planetkey_login_result_profile(result), "planet-user");
    CHECK_TEXT(planetkey_login_result_file(result), home_file(".planet/planet-user/token.json"));
    json = cJSON_Parse(planetkey_login_result_json(result));
    CHECK_TEXT(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "subject")), "user|ada");
    cJSON_Delete(json);
    saved = read_text(planetkey_login_result_file(result));
    CHECK(saved != NULL && permissions(planetkey_login_result_file(result)) == 0600);
    free(saved);
    planetkey_login_result_free(result);

    /* The login has finished. Later calls give the same result. */
    CHECK_OK(planetkey_login_wait(login, 0, NULL, &error));
    planetkey_login_cancel(login);
    CHECK_OK(planetkey_login_poll(login, &result, &error));
    CHECK_TEXT(planetkey_login_result_subject(result), "user|ada");
    planetkey_login_result_free(result);
    planetkey_login_free(login);
    authorizes_as("user|ada");
}

/* What an event loop does with a timer. */
static void drive(const planetkey_login *login, planetkey_login_result **result) {
    do {
        usleep(planetkey_login_poll_interval_ms(login) * 1000);
        if (!CHECK(planetkey_login_poll(login, result, NULL) == PLANETKEY_STATUS_OK)) {
            return;
        }
    } while (!*result);
}

static void polled_on_a_device(void) {
    planetkey_login *login = on_device();
    planetkey_login_result *result = NULL;
    CHECK_OK(planetkey_login_poll(login, &result, &error));
    CHECK(result == NULL && planetkey_login_poll_interval_ms(login) > 0 &&
          planetkey_login_poll_interval_ms(login) <= 1000);
    /* An early poll sends no request. */
    CHECK_OK(planetkey_login_poll(login, &result, &error));
    CHECK(result == NULL && simulator_count("user.token") == 0);
    simulator_log_in_on_device(planetkey_login_user_code(login), NULL);
    drive(login, &result);
    CHECK(simulator_count("user.token") == 1);
    CHECK_TEXT(planetkey_login_result_subject(result), "simulator-user");
    planetkey_login_result_free(result);
    planetkey_login_free(login);
}

static void denied(void) {
    planetkey_login *login = on_device();
    planetkey_login *browser = in_browser();
    planetkey_login_result *result = NULL;
    char *page = NULL;
    struct waiter waiter;
    simulator_log_in_on_device(planetkey_login_user_code(login), "\"allow\":false");
    CHECK_STATUS(planetkey_login_wait(login, 0, &result, &error), PLANETKEY_STATUS_DENIED);
    CHECK_STATUS(planetkey_login_poll(login, &result, &error), PLANETKEY_STATUS_DENIED);
    planetkey_login_free(login);

    start_waiting(&waiter, browser);
    log_in_in_browser(browser, "\"allow\":false", &page);
    CHECK(strstr(page, "Not logged in") != NULL);
    free(page);
    has_ended(&waiter, PLANETKEY_STATUS_DENIED);
    planetkey_login_free(browser);
    CHECK(!planetkey_session_is_initialized(session));
}

static void in_a_browser(void) {
    planetkey_login *login = NULL;
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_string *qr_code;
    char *page = NULL;
    char other[1024];
    struct waiter waiters[2];

    CHECK_OK(planetkey_login_options_set_page(options, "<p>Back to the map</p>", &error));
    CHECK_OK(planetkey_session_start_browser_login(session, options, &login, &error));
    planetkey_login_options_free(options);
    CHECK(strncmp(planetkey_login_redirect_uri(login), "http://127.0.0.1:", 17) == 0);
    CHECK(strstr(planetkey_login_authorization_url(login), "code_challenge_method=S256") != NULL);
    CHECK(planetkey_login_user_code(login) == NULL &&
          planetkey_login_verification_uri(login) == NULL);
    CHECK(planetkey_login_verification_uri_complete(login) == NULL);
    CHECK(planetkey_login_expires_in_ms(login) > 200000 &&
          planetkey_login_expires_in_ms(login) <= 300000);
    qr_code = planetkey_login_qr_code(login, true);
    CHECK(planetkey_string_length(qr_code) > 500);
    planetkey_string_free(qr_code);

    start_waiting(&waiters[0], login);
    start_waiting(&waiters[1], login);
    /* A request that is not the redirect changes nothing. */
    snprintf(other, sizeof other, "%s/favicon.ico", planetkey_login_redirect_uri(login));
    CHECK(simulator_get(other, NULL, NULL) == 404);
    snprintf(other, sizeof other, "%s?code=c&state=of-another-login",
             planetkey_login_redirect_uri(login));
    CHECK(simulator_get(other, NULL, NULL) == 400);
    log_in_in_browser(login, "\"username\":\"ada\"", &page);
    CHECK_TEXT(page, "<p>Back to the map</p>");
    free(page);
    has_ended(&waiters[0], PLANETKEY_STATUS_OK);
    has_ended(&waiters[1], PLANETKEY_STATUS_OK);
    planetkey_login_free(login);
    CHECK(simulator_count("user.token") == 1);
    authorizes_as("user|ada");
}

struct visit {
    const planetkey_login *login;
    long status;
};

static void *visit(void *argument) {
    struct visit *visit = argument;
    char *location =
        simulator_log_in_in_browser(planetkey_login_authorization_url(visit->login), NULL);
    visit->status = simulator_get(location, NULL, NULL);
    free(location);
    return NULL;
}

/* Without a waiting thread, poll serves the redirect. */
static void polled_in_a_browser(void) {
    planetkey_login *login = in_browser();
    planetkey_login_result *result = NULL;
    struct visit visitor = {login, 0};
    pthread_t thread;
    CHECK_OK(planetkey_login_poll(login, &result, &error));
    CHECK(result == NULL && planetkey_login_poll_interval_ms(login) > 0);
    CHECK(pthread_create(&thread, NULL, visit, &visitor) == 0);
    drive(login, &result);
    pthread_join(thread, NULL);
    CHECK(visitor.status == 200);
    CHECK_TEXT(planetkey_login_result_subject(result), "simulator-user");
    planetkey_login_result_free(result);
    planetkey_login_free(login);
}

static void completed(void) {
    static const char *const wrong[] = {"", "code", "?", "http://example.com/callback?code=c",
                                        "\xff"};
    planetkey_login *login = in_browser();
    planetkey_login_result *result = NULL;
    char other[1024];
    char *location;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        CHECK_STATUS(planetkey_login_complete(login, wrong[i], &result, &error),
                     PLANETKEY_STATUS_INVALID_ARGUMENT);
        CHECK(result == NULL);
    }
    CHECK_STATUS(planetkey_login_complete(login, NULL, &result, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    snprintf(other, sizeof other, "%s?code=c&state=of-another-login",
             planetkey_login_redirect_uri(login));
    CHECK_STATUS(planetkey_login_complete(login, other, &result, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    location = simulator_log_in_in_browser(planetkey_login_authorization_url(login), NULL);
    CHECK_OK(planetkey_login_complete(login, location, &result, &error));
    CHECK_TEXT(planetkey_login_result_subject(result), "simulator-user");
    planetkey_login_result_free(result);
    CHECK_OK(planetkey_login_complete(login, location, NULL, &error));
    CHECK(simulator_count("user.token") == 1);
    free(location);
    planetkey_login_free(login);
}

static void cancelled_while_another_thread_waits(void) {
    planetkey_login *logins[] = {on_device(), in_browser()};
    for (int i = 0; i < 2; ++i) {
        planetkey_login_result *result = NULL;
        planetkey_login *count = planetkey_login_clone(logins[i]);
        struct waiter waiter;
        CHECK(count == logins[i]);
        start_waiting(&waiter, count);
        planetkey_login_cancel(logins[i]);
        has_ended(&waiter, PLANETKEY_STATUS_CANCELLED);
        planetkey_login_free(count);
        CHECK_STATUS(planetkey_login_wait(logins[i], 0, &result, &error),
                     PLANETKEY_STATUS_CANCELLED);
        CHECK_STATUS(planetkey_login_poll(logins[i], &result, &error), PLANETKEY_STATUS_CANCELLED);
        planetkey_login_cancel(logins[i]);
        planetkey_login_free(logins[i]);
    }
    CHECK(!planetkey_session_is_initialized(session));
}

/* A cancel does not wait for a pending request. */
static void cancelled_while_the_server_is_slow(void) {
    planetkey_login *login = in_browser();
    struct waiter waiter;
    struct visit visitor = {login, 0};
    pthread_t thread;
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    start_waiting(&waiter, login);
    CHECK(pthread_create(&thread, NULL, visit, &visitor) == 0);
    simulator_wait_held("gate", 1);
    planetkey_login_cancel(login);
    has_ended(&waiter, PLANETKEY_STATUS_CANCELLED);
    pthread_join(thread, NULL);
    CHECK(visitor.status == 200);
    simulator_release("gate");
    planetkey_login_free(login);
    CHECK(!planetkey_session_is_initialized(session));
}

/* The handle is freed while another thread waits, which is sure once it serves the redirect. */
static void f112_a_login_is_freed_while_another_thread_waits(void) {
    planetkey_login *login = in_browser();
    struct waiter waiter;
    char *url = strdup(planetkey_login_authorization_url(login));
    char *location;
    char other[1024];
    snprintf(other, sizeof other, "%s/favicon.ico", planetkey_login_redirect_uri(login));
    start_waiting(&waiter, login);
    CHECK(simulator_get(other, NULL, NULL) == 404);
    planetkey_login_free(login);
    location = simulator_log_in_in_browser(url, NULL);
    CHECK(simulator_get(location, NULL, NULL) == 200);
    has_ended(&waiter, PLANETKEY_STATUS_OK);
    free(location);
    free(url);
}

static void a_login_without_the_user_times_out(void) {
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_login *login = NULL;
    planetkey_login_result *result = NULL;
    CHECK_OK(planetkey_login_options_set_timeout_ms(options, 100, &error));
    CHECK_OK(planetkey_session_start_browser_login(session, options, &login, &error));
    CHECK_STATUS(planetkey_login_wait(login, 0, &result, &error), PLANETKEY_STATUS_TIMEOUT);
    CHECK(result == NULL && planetkey_login_expires_in_ms(login) == 0);
    planetkey_login_free(login);
    CHECK_OK(planetkey_session_start_device_login(session, options, &login, &error));
    CHECK_STATUS(planetkey_login_wait(login, 0, &result, &error), PLANETKEY_STATUS_TIMEOUT);
    planetkey_login_free(login);
    /* A login without a wait leaves nothing behind. */
    login = in_browser();
    planetkey_login_free(login);
    planetkey_login_options_free(options);
}

static void an_m2m_client_needs_no_login(void) {
    planetkey_session *m2m = simulator_m2m_session();
    planetkey_login *login = NULL;
    planetkey_login_result *result = NULL;
    CHECK_STATUS(planetkey_session_start_device_login(m2m, NULL, &login, &error),
                 PLANETKEY_STATUS_UNSUPPORTED);
    CHECK_STATUS(planetkey_session_start_browser_login(m2m, NULL, &login, &error),
                 PLANETKEY_STATUS_UNSUPPORTED);
    CHECK(login == NULL);
    CHECK_OK(planetkey_session_login(m2m, NULL, &result, &error));
    CHECK(!planetkey_login_result_prompted(result) &&
          planetkey_login_result_subject(result) == NULL);
    planetkey_login_result_free(result);
    planetkey_session_free(m2m);
}

int main(void) {
    void (*const tests[])(void) = {on_a_device,
                                   polled_on_a_device,
                                   denied,
                                   in_a_browser,
                                   polled_in_a_browser,
                                   completed,
                                   cancelled_while_another_thread_waits,
                                   cancelled_while_the_server_is_slow,
                                   f112_a_login_is_freed_while_another_thread_waits,
                                   a_login_without_the_user_times_out,
                                   an_m2m_client_needs_no_login};
    simulator_start();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        simulator_settings("{\"device_interval\":1}");
        session = simulator_user_session();
        tests[i]();
        planetkey_session_free(session);
    }
    simulator_end();
    return finish();
}
