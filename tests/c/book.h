/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* An application storage in memory that records its calls and fails on request. */
#ifndef BOOK_H
#define BOOK_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

struct book {
    char *text;
    size_t length;
    /* The results of the callbacks. */
    int32_t load_status;
    int32_t save_status;
    int32_t lock_status;
    /* load calls it. */
    void (*inside_load)(struct book *book);
    const planetkey_session *session;
    planetkey_status found_inside;
    pthread_t main_thread;
    char events[4096];
    char foreign_events[4096];
    uint32_t lock_timeout_ms;
    atomic_int inside;
    atomic_int wrong;
    atomic_int texts;
    atomic_int destroyed;
};

static inline void write_down(struct book *book, const char *event) {
    char *events =
        pthread_equal(pthread_self(), book->main_thread) ? book->events : book->foreign_events;
    size_t length = strlen(events);
    snprintf(events + length, sizeof book->events - length, "%s ", event);
}

/* A session makes one call at a time. */
static inline void enter(struct book *book) {
    if (atomic_fetch_add(&book->inside, 1) != 0 || book->destroyed) {
        ++book->wrong;
    }
}

static inline void leave(struct book *book) { --book->inside; }

static inline int32_t load(void *user_data, char **text, size_t *length) {
    struct book *book = user_data;
    enter(book);
    write_down(book, "load");
    if (*text != NULL || *length != 0) {
        ++book->wrong;
    }
    if (book->inside_load) {
        book->inside_load(book);
    }
    if (book->load_status == 0 && book->text) {
        *text = malloc(book->length);
        memcpy(*text, book->text, book->length);
        *length = book->length;
        ++book->texts;
    }
    leave(book);
    return book->load_status;
}

static inline void free_text(void *user_data, char *text, size_t length) {
    struct book *book = user_data;
    if (length != book->length || memcmp(text, book->text, length) != 0) {
        ++book->wrong;
    }
    free(text);
    --book->texts;
}

static inline void store(struct book *book, const char *text, size_t length) {
    free(book->text);
    book->text = NULL;
    book->length = 0;
    if (text) {
        book->text = malloc(length + 1);
        memcpy(book->text, text, length);
        book->text[length] = '\0';
        book->length = length;
    }
}

static inline int32_t save(void *user_data, const char *text, size_t length) {
    struct book *book = user_data;
    enter(book);
    write_down(book, text ? "save" : "save-nothing");
    if (text ? strlen(text) != length : length != 0) {
        ++book->wrong;
    }
    if (book->save_status == 0) {
        store(book, text, length);
    }
    leave(book);
    return book->save_status;
}

static inline int32_t lock(void *user_data, uint32_t timeout_ms) {
    struct book *book = user_data;
    write_down(book, "lock");
    book->lock_timeout_ms = timeout_ms;
    return book->lock_status;
}

static inline void unlock(void *user_data) { write_down(user_data, "unlock"); }

static inline void free_user_data(void *user_data) { ++((struct book *)user_data)->destroyed; }

static inline void begin(struct book *book) {
    memset(book, 0, sizeof *book);
    book->main_thread = pthread_self();
    book->found_inside = PLANETKEY_STATUS_INTERNAL;
}

static inline void begin_with(struct book *book, const char *members) {
    char *text = simulator_seed(members);
    begin(book);
    store(book, text, strlen(text));
    free(text);
}

/* After the last handle, the thread of a refresh may still hold the storage for a moment. */
static inline void end(struct book *book) {
    WAIT_FOR(book->destroyed != 0);
    CHECK(book->wrong == 0);
    CHECK(book->texts == 0);
    CHECK(book->destroyed == 1);
    free(book->text);
}

static inline planetkey_storage all_callbacks(struct book *book) {
    return (planetkey_storage){.size = sizeof(planetkey_storage),
                               .user_data = book,
                               .load = load,
                               .free_text = free_text,
                               .save = save,
                               .lock = lock,
                               .unlock = unlock,
                               .free_user_data = free_user_data};
}

static inline planetkey_options *options_with(struct book *book) {
    planetkey_storage storage = all_callbacks(book);
    planetkey_options *options = simulator_options();
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    /* planetkey has copied it. */
    memset(&storage, 0xff, sizeof storage);
    return options;
}

static inline planetkey_session *session_with(struct book *book) {
    planetkey_options *options = options_with(book);
    planetkey_session *session = simulator_user_session_with(options);
    planetkey_options_free(options);
    return session;
}

static inline void token_of(const planetkey_session *session, char *text, size_t size) {
    planetkey_string *token = NULL;
    text[0] = '\0';
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    if (token) {
        snprintf(text, size, "%s", planetkey_string_data(token));
    }
    planetkey_string_free(token);
}

/* A member of the saved text. Free it with free(). */
static inline char *member_of(const char *text, const char *name) {
    cJSON *json = cJSON_Parse(text);
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
    char *copy = value ? strdup(value) : NULL;
    cJSON_Delete(json);
    return copy;
}

#endif
