/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Logins that a program drives itself: on any device and in the browser, waited for, polled, completed, cancelled, freed in the middle. */
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

/* A person goes through the pages in a browser, which then returns to the program. What it shows goes to `page`, if asked. */
static void person_in_browser(const planetkey_login *login, const char *members, char **page) {
    char *location = simulator_person_in_browser(planetkey_login_authorization_url(login), members);
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
    CHECK_TEXT(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "authenticated_as")), subject);
    cJSON_Delete(json);
    free(body);
    planetkey_authorization_free(authorization);
}

struct waiter {
    pthread_t thread;
    planetkey_login *login;
    planetkey_status status;
    planetkey_logged_in *logged_in;
    planetkey_error *error;
};

static void *wait_for_it(void *argument) {
    struct waiter *waiter = argument;
    waiter->status = planetkey_login_wait(waiter->login, 0, &waiter->logged_in, &waiter->error);
    return NULL;
}

static void start_waiting(struct waiter *waiter, planetkey_login *login) {
    *waiter = (struct waiter){.login = login};
    CHECK(pthread_create(&waiter->thread, NULL, wait_for_it, waiter) == 0);
}

static void has_ended(struct waiter *waiter, planetkey_status expected) {
    pthread_join(waiter->thread, NULL);
    check_status_(waiter->status, expected, waiter->error, __FILE__, __LINE__, "wait");
    CHECK((waiter->logged_in != NULL) == (expected == PLANETKEY_STATUS_OK));
    planetkey_logged_in_free(waiter->logged_in);
}

static void on_a_device(void) {
    planetkey_login *login = on_device();
    planetkey_logged_in *logged_in = NULL;
    planetkey_string *blocks = planetkey_login_qr_code(login, false);
    planetkey_string *ascii = planetkey_login_qr_code(login, true);
    char *kept;
    cJSON *json;

    CHECK(strstr(planetkey_login_verification_uri_complete(login), planetkey_login_user_code(login)) != NULL);
    CHECK(strncmp(planetkey_login_verification_uri(login), "http://127.0.0.1", 16) == 0);
    CHECK(planetkey_login_expires_in_ms(login) > 800000 && planetkey_login_expires_in_ms(login) <= 900000);
    CHECK(planetkey_login_authorization_url(login) == NULL && planetkey_login_redirect_uri(login) == NULL);
    CHECK(planetkey_string_length(blocks) > 500 && strstr(planetkey_string_data(blocks), "\xe2\x96\x88") != NULL);
    CHECK(strspn(planetkey_string_data(ascii), "# \n") == planetkey_string_length(ascii));
    planetkey_string_free(blocks);
    planetkey_string_free(ascii);

    /* The wait was too short, and the login goes on. */
    CHECK_STATUS(planetkey_login_wait(login, 1, &logged_in, &error), PLANETKEY_STATUS_TIMEOUT);
    CHECK(logged_in == NULL);
    CHECK(!planetkey_session_is_initialized(session));
    CHECK_STATUS(planetkey_login_complete(login, "http://127.0.0.1/callback?code=c", &logged_in, &error),
                 PLANETKEY_STATUS_UNSUPPORTED);
    simulator_person_on_device(planetkey_login_user_code(login), "\"username\":\"ada\"");
    CHECK_OK(planetkey_login_wait(login, 0, &logged_in, &error));
    CHECK(planetkey_logged_in_asked(logged_in));
    CHECK_TEXT(planetkey_logged_in_subject(logged_in), "user|ada");
    CHECK(planetkey_logged_in_email(logged_in) == NULL);
    CHECK(planetkey_logged_in_scope_count(logged_in) == 2);
    CHECK_TEXT(planetkey_logged_in_scope(logged_in, 0), "planet");
    CHECK_TEXT(planetkey_logged_in_scope(logged_in, 1), "offline_access");
    CHECK(planetkey_logged_in_scope(logged_in, 2) == NULL);
    CHECK(planetkey_logged_in_expires_at(logged_in) > 1700000000);
    CHECK_TEXT(planetkey_logged_in_profile(logged_in), "planet-user");
    CHECK_TEXT(planetkey_logged_in_file(logged_in), home_file(".planet/planet-user/token.json"));
    json = cJSON_Parse(planetkey_logged_in_json(logged_in));
    CHECK_TEXT(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "subject")), "user|ada");
    cJSON_Delete(json);
    kept = read_text(planetkey_logged_in_file(logged_in));
    CHECK(kept != NULL && permissions(planetkey_logged_in_file(logged_in)) == 0600);
    free(kept);
    planetkey_logged_in_free(logged_in);

    /* Over, and the same again. */
    CHECK_OK(planetkey_login_wait(login, 0, NULL, &error));
    planetkey_login_cancel(login);
    CHECK_OK(planetkey_login_poll(login, &logged_in, NULL, &error));
    CHECK_TEXT(planetkey_logged_in_subject(logged_in), "user|ada");
    planetkey_logged_in_free(logged_in);
    planetkey_login_free(login);
    authorizes_as("user|ada");
}

/* What an event loop does with its timer. */
static void drive(const planetkey_login *login, planetkey_logged_in **logged_in) {
    uint32_t next_poll_ms = 0;
    do {
        usleep(next_poll_ms * 1000);
        if (!CHECK(planetkey_login_poll(login, logged_in, &next_poll_ms, NULL) == PLANETKEY_STATUS_OK)) {
            return;
        }
    } while (!*logged_in);
    CHECK(next_poll_ms == 0);
}

static void polled_on_a_device(void) {
    planetkey_login *login = on_device();
    planetkey_logged_in *logged_in = NULL;
    uint32_t next_poll_ms = 0;
    CHECK_OK(planetkey_login_poll(login, &logged_in, &next_poll_ms, &error));
    CHECK(logged_in == NULL && next_poll_ms > 0 && next_poll_ms <= 1000);
    /* What comes too early asks nobody. */
    CHECK_OK(planetkey_login_poll(login, &logged_in, NULL, &error));
    CHECK(logged_in == NULL && simulator_count("user.token") == 0);
    simulator_person_on_device(planetkey_login_user_code(login), NULL);
    drive(login, &logged_in);
    CHECK(simulator_count("user.token") == 1);
    CHECK_TEXT(planetkey_logged_in_subject(logged_in), "simulator-user");
    planetkey_logged_in_free(logged_in);
    planetkey_login_free(login);
}

static void denied(void) {
    planetkey_login *login = on_device();
    planetkey_login *browser = in_browser();
    planetkey_logged_in *logged_in = NULL;
    char *page = NULL;
    struct waiter waiter;
    simulator_person_on_device(planetkey_login_user_code(login), "\"allow\":false");
    CHECK_STATUS(planetkey_login_wait(login, 0, &logged_in, &error), PLANETKEY_STATUS_DENIED);
    CHECK_STATUS(planetkey_login_poll(login, &logged_in, NULL, &error), PLANETKEY_STATUS_DENIED);
    planetkey_login_free(login);

    start_waiting(&waiter, browser);
    person_in_browser(browser, "\"allow\":false", &page);
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
    CHECK(planetkey_login_user_code(login) == NULL && planetkey_login_verification_uri(login) == NULL);
    CHECK(planetkey_login_verification_uri_complete(login) == NULL);
    CHECK(planetkey_login_expires_in_ms(login) > 200000 && planetkey_login_expires_in_ms(login) <= 300000);
    qr_code = planetkey_login_qr_code(login, true);
    CHECK(planetkey_string_length(qr_code) > 500);
    planetkey_string_free(qr_code);

    start_waiting(&waiters[0], login);
    start_waiting(&waiters[1], login);
    /* What is not the browser's return changes nothing. */
    snprintf(other, sizeof other, "%s/favicon.ico", planetkey_login_redirect_uri(login));
    CHECK(simulator_get(other, NULL, NULL) == 404);
    snprintf(other, sizeof other, "%s?code=c&state=of-somebody-else", planetkey_login_redirect_uri(login));
    CHECK(simulator_get(other, NULL, NULL) == 400);
    person_in_browser(login, "\"username\":\"ada\"", &page);
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
    char *location = simulator_person_in_browser(planetkey_login_authorization_url(visit->login), NULL);
    visit->status = simulator_get(location, NULL, NULL);
    free(location);
    return NULL;
}

/* Without a thread that waits: whoever polls serves the browser. */
static void polled_in_a_browser(void) {
    planetkey_login *login = in_browser();
    planetkey_logged_in *logged_in = NULL;
    struct visit person = {login, 0};
    uint32_t next_poll_ms = 0;
    pthread_t thread;
    CHECK_OK(planetkey_login_poll(login, &logged_in, &next_poll_ms, &error));
    CHECK(logged_in == NULL && next_poll_ms > 0);
    CHECK(pthread_create(&thread, NULL, visit, &person) == 0);
    drive(login, &logged_in);
    pthread_join(thread, NULL);
    CHECK(person.status == 200);
    CHECK_TEXT(planetkey_logged_in_subject(logged_in), "simulator-user");
    planetkey_logged_in_free(logged_in);
    planetkey_login_free(login);
}

static void completed(void) {
    static const char *const wrong[] = {"", "code", "?", "http://example.com/callback?code=c", "\xff"};
    planetkey_login *login = in_browser();
    planetkey_logged_in *logged_in = NULL;
    char other[1024];
    char *location;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        CHECK_STATUS(planetkey_login_complete(login, wrong[i], &logged_in, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
        CHECK(logged_in == NULL);
    }
    CHECK_STATUS(planetkey_login_complete(login, NULL, &logged_in, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    snprintf(other, sizeof other, "%s?code=c&state=of-somebody-else", planetkey_login_redirect_uri(login));
    CHECK_STATUS(planetkey_login_complete(login, other, &logged_in, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    location = simulator_person_in_browser(planetkey_login_authorization_url(login), NULL);
    CHECK_OK(planetkey_login_complete(login, location, &logged_in, &error));
    CHECK_TEXT(planetkey_logged_in_subject(logged_in), "simulator-user");
    planetkey_logged_in_free(logged_in);
    CHECK_OK(planetkey_login_complete(login, location, NULL, &error));
    CHECK(simulator_count("user.token") == 1);
    free(location);
    planetkey_login_free(login);
}

static void cancelled_while_another_thread_waits(void) {
    planetkey_login *logins[] = {on_device(), in_browser()};
    for (int i = 0; i < 2; ++i) {
        planetkey_logged_in *logged_in = NULL;
        planetkey_login *count = planetkey_login_clone(logins[i]);
        struct waiter waiter;
        CHECK(count == logins[i]);
        start_waiting(&waiter, count);
        planetkey_login_cancel(logins[i]);
        has_ended(&waiter, PLANETKEY_STATUS_CANCELLED);
        planetkey_login_free(count);
        CHECK_STATUS(planetkey_login_wait(logins[i], 0, &logged_in, &error), PLANETKEY_STATUS_CANCELLED);
        CHECK_STATUS(planetkey_login_poll(logins[i], &logged_in, NULL, &error), PLANETKEY_STATUS_CANCELLED);
        planetkey_login_cancel(logins[i]);
        planetkey_login_free(logins[i]);
    }
    CHECK(!planetkey_session_is_initialized(session));
}

/* A request that is not answered keeps nobody from leaving. */
static void cancelled_while_the_server_takes_its_time(void) {
    planetkey_login *login = in_browser();
    struct waiter waiter;
    struct visit person = {login, 0};
    pthread_t thread;
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    start_waiting(&waiter, login);
    CHECK(pthread_create(&thread, NULL, visit, &person) == 0);
    simulator_wait_held("gate", 1);
    planetkey_login_cancel(login);
    has_ended(&waiter, PLANETKEY_STATUS_CANCELLED);
    pthread_join(thread, NULL);
    CHECK(person.status == 200);
    simulator_release("gate");
    planetkey_login_free(login);
    CHECK(!planetkey_session_is_initialized(session));
}

/* The thread that waits has begun when it serves the browser; then its handle goes. */
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
    location = simulator_person_in_browser(url, NULL);
    CHECK(simulator_get(location, NULL, NULL) == 200);
    has_ended(&waiter, PLANETKEY_STATUS_OK);
    free(location);
    free(url);
}

static void nobody_comes(void) {
    planetkey_login_options *options = planetkey_login_options_new();
    planetkey_login *login = NULL;
    planetkey_logged_in *logged_in = NULL;
    CHECK_OK(planetkey_login_options_set_timeout_ms(options, 100, &error));
    CHECK_OK(planetkey_session_start_browser_login(session, options, &login, &error));
    CHECK_STATUS(planetkey_login_wait(login, 0, &logged_in, &error), PLANETKEY_STATUS_TIMEOUT);
    CHECK(logged_in == NULL && planetkey_login_expires_in_ms(login) == 0);
    planetkey_login_free(login);
    CHECK_OK(planetkey_session_start_device_login(session, options, &login, &error));
    CHECK_STATUS(planetkey_login_wait(login, 0, &logged_in, &error), PLANETKEY_STATUS_TIMEOUT);
    planetkey_login_free(login);
    /* A login that nobody has waited for leaves nothing behind. */
    login = in_browser();
    planetkey_login_free(login);
    planetkey_login_options_free(options);
}

static void nobody_logs_in_to_a_machine(void) {
    planetkey_session *machine = simulator_m2m_session();
    planetkey_login *login = NULL;
    planetkey_logged_in *logged_in = NULL;
    CHECK_STATUS(planetkey_session_start_device_login(machine, NULL, &login, &error), PLANETKEY_STATUS_UNSUPPORTED);
    CHECK_STATUS(planetkey_session_start_browser_login(machine, NULL, &login, &error), PLANETKEY_STATUS_UNSUPPORTED);
    CHECK(login == NULL);
    CHECK_OK(planetkey_session_login(machine, NULL, &logged_in, &error));
    CHECK(!planetkey_logged_in_asked(logged_in) && planetkey_logged_in_subject(logged_in) == NULL);
    planetkey_logged_in_free(logged_in);
    planetkey_session_free(machine);
}

int main(void) {
    void (*const tests[])(void) = {on_a_device, polled_on_a_device, denied, in_a_browser, polled_in_a_browser, completed,
                                   cancelled_while_another_thread_waits, cancelled_while_the_server_takes_its_time,
                                   f112_a_login_is_freed_while_another_thread_waits, nobody_comes, nobody_logs_in_to_a_machine};
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
