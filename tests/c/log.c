/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The log callback: its records, when its user data is freed, and that it may call planetkey. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "simulator.h"
#include "test.h"

struct book {
    atomic_int records;
    atomic_int destroyed;
    atomic_int wrong;
    int max_level;
    char text[65536];
};

static void write_down(void *user_data, int32_t level, const char *target, const char *message) {
    struct book *book = user_data;
    size_t length = strlen(book->text);
    ++book->records;
    if (level < PLANETKEY_LOG_LEVEL_ERROR || level > book->max_level ||
        strncmp(target, "planetkey", 9) != 0 || strpbrk(message, "\r\n") != NULL ||
        book->destroyed) {
        ++book->wrong;
    }
    snprintf(book->text + length, sizeof book->text - length, "%d %s %s\n", (int)level, target,
             message);
}

static void done(void *user_data) { ++((struct book *)user_data)->destroyed; }

/* A token without the requested scope and without a lifetime causes warnings. */
static void make_noise(char *token, size_t size) {
    planetkey_session *session = simulator_m2m_session();
    planetkey_string *text = NULL;
    /* The former token is still on disk. */
    simulator_reset();
    simulator_script(
        "m2m.token",
        "[{\"status\":503,\"headers\":{\"Retry-After\":\"0\"}},{\"token_response\":{\"remove\":["
        "\"expires_in\"],\"set\":{\"access_token\":\"an-opaque-token-s3cr3t\"}}}]",
        0);
    CHECK_OK(planetkey_session_access_token(session, &text, &error));
    snprintf(token, size, "%s", planetkey_string_data(text));
    planetkey_string_free(text);
    planetkey_session_free(session);
}

static void records(void) {
    static struct book book = {.max_level = PLANETKEY_LOG_LEVEL_TRACE};
    static struct book second = {.max_level = PLANETKEY_LOG_LEVEL_WARN};
    char token[8192];
    int before;

    CHECK_OK(
        planetkey_set_log_callback(write_down, &book, done, PLANETKEY_LOG_LEVEL_TRACE, &error));
    make_noise(token, sizeof token);
    CHECK(book.records > 0 && book.wrong == 0 && book.destroyed == 0);
    CHECK(strstr(book.text, token) == NULL);
    CHECK(strstr(book.text, simulator_variable("PL_AUTH_CLIENT_SECRET")) == NULL);
    CHECK(strstr(book.text, simulator_variable("PL_API_KEY")) == NULL);

    /* Another callback replaces the first, whose user data is freed once. */
    before = book.records;
    CHECK_OK(
        planetkey_set_log_callback(write_down, &second, done, PLANETKEY_LOG_LEVEL_WARN, &error));
    CHECK(book.destroyed == 1 && second.destroyed == 0);
    make_noise(token, sizeof token);
    CHECK(book.records == before && second.records > 0 && second.wrong == 0);

    CHECK_OK(planetkey_set_log_callback(NULL, NULL, NULL, PLANETKEY_LOG_LEVEL_TRACE, &error));
    CHECK(book.destroyed == 1 && second.destroyed == 1);
    before = second.records;
    make_noise(token, sizeof token);
    CHECK(second.records == before);
}

static void levels(void) {
    static const int32_t wrong[] = {-1, 6, INT32_MAX, INT32_MIN};
    static struct book book = {.max_level = PLANETKEY_LOG_LEVEL_OFF};
    char token[8192];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        CHECK_STATUS(planetkey_set_log_callback(write_down, &book, done, wrong[i], &error),
                     PLANETKEY_STATUS_INVALID_ARGUMENT);
        /* The user data was freed. */
        CHECK(book.destroyed == (int)i + 1);
    }
    book.destroyed = 0;
    CHECK_OK(planetkey_set_log_callback(write_down, &book, done, PLANETKEY_LOG_LEVEL_OFF, &error));
    make_noise(token, sizeof token);
    CHECK(book.records == 0 && book.destroyed == 0);
    CHECK_OK(planetkey_set_log_callback(NULL, &book, done, PLANETKEY_LOG_LEVEL_OFF, &error));
    /* Once for the callback that was removed, once for the user data without a callback. */
    CHECK(book.destroyed == 2);
}

/* The callback may call planetkey, even to replace itself. */
static void call_planetkey(void *user_data, int32_t level, const char *target,
                           const char *message) {
    struct book *book = user_data;
    planetkey_session *session = NULL;
    (void)level;
    (void)target;
    (void)message;
    ++book->records;
    if (planetkey_session_from_api_key("key", 0, NULL, &session, NULL) != PLANETKEY_STATUS_OK ||
        planetkey_set_log_callback(NULL, NULL, NULL, PLANETKEY_LOG_LEVEL_OFF, NULL) !=
            PLANETKEY_STATUS_OK ||
        book->destroyed) {
        ++book->wrong;
    }
    planetkey_session_free(session);
}

static void reentrance(void) {
    static struct book book;
    char token[8192];
    CHECK_OK(
        planetkey_set_log_callback(call_planetkey, &book, done, PLANETKEY_LOG_LEVEL_TRACE, &error));
    make_noise(token, sizeof token);
    CHECK(book.records == 1 && book.wrong == 0 && book.destroyed == 1);
}

static atomic_int stop;

/* Several threads may be inside the callback at once. This one only counts. */
static void count(void *user_data, int32_t level, const char *target, const char *message) {
    (void)level;
    if (target && message) {
        ++((struct book *)user_data)->records;
    }
}

static void *replace(void *argument) {
    struct book *book = argument;
    while (!stop) {
        if (planetkey_set_log_callback(count, book, done, PLANETKEY_LOG_LEVEL_TRACE, NULL) !=
            PLANETKEY_STATUS_OK) {
            ++book->wrong;
        }
        sched_yield();
    }
    return NULL;
}

static void replaced_while_others_log(void) {
    static struct book book;
    pthread_t replacing[2];
    char token[8192];
    CHECK_OK(planetkey_set_log_callback(count, &book, NULL, PLANETKEY_LOG_LEVEL_TRACE, &error));
    for (int i = 0; i < 2; ++i) {
        CHECK(pthread_create(&replacing[i], NULL, replace, &book) == 0);
    }
    for (int i = 0; i < 5; ++i) {
        make_noise(token, sizeof token);
    }
    stop = 1;
    for (int i = 0; i < 2; ++i) {
        pthread_join(replacing[i], NULL);
    }
    CHECK(book.records > 0 && book.wrong == 0);
    CHECK_OK(planetkey_set_log_callback(NULL, NULL, NULL, PLANETKEY_LOG_LEVEL_OFF, &error));
}

int main(void) {
    simulator_start();
    records();
    levels();
    reentrance();
    replaced_while_others_log();
    simulator_end();
    return finish();
}
