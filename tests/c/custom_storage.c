/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The application's own storage: what it is asked, on which thread, what its failures mean, and when it is told that it is not needed. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

/* A storage with a protocol of what happened to it. */
struct book {
    char *text;
    size_t length;
    /* What each callback returns. */
    int32_t load_status;
    int32_t save_status;
    int32_t lock_status;
    /* Called by load, to be a nuisance. */
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

static void write_down(struct book *book, const char *event) {
    char *events = pthread_equal(pthread_self(), book->main_thread) ? book->events : book->foreign_events;
    size_t length = strlen(events);
    snprintf(events + length, sizeof book->events - length, "%s ", event);
}

/* Nobody may be inside at the same time: a session asks for one thing after the other. */
static void enter(struct book *book) {
    if (atomic_fetch_add(&book->inside, 1) != 0 || book->destroyed) {
        ++book->wrong;
    }
}

static void leave(struct book *book) { --book->inside; }

static int32_t load(void *user_data, char **text, size_t *length) {
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

static void free_text(void *user_data, char *text, size_t length) {
    struct book *book = user_data;
    if (length != book->length || memcmp(text, book->text, length) != 0) {
        ++book->wrong;
    }
    free(text);
    --book->texts;
}

static void keep(struct book *book, const char *text, size_t length) {
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

static int32_t save(void *user_data, const char *text, size_t length) {
    struct book *book = user_data;
    enter(book);
    write_down(book, text ? "save" : "save-nothing");
    if (text ? strlen(text) != length : length != 0) {
        ++book->wrong;
    }
    if (book->save_status == 0) {
        keep(book, text, length);
    }
    leave(book);
    return book->save_status;
}

static int32_t lock(void *user_data, uint32_t timeout_ms) {
    struct book *book = user_data;
    write_down(book, "lock");
    book->lock_timeout_ms = timeout_ms;
    return book->lock_status;
}

static void unlock(void *user_data) { write_down(user_data, "unlock"); }

static void free_user_data(void *user_data) { ++((struct book *)user_data)->destroyed; }

static void begin(struct book *book) {
    memset(book, 0, sizeof *book);
    book->main_thread = pthread_self();
    book->found_inside = PLANETKEY_STATUS_INTERNAL;
}

static void begin_with(struct book *book, const char *members) {
    char *text = simulator_seed(members);
    begin(book);
    keep(book, text, strlen(text));
    free(text);
}

/* After the last handle: a renewal's thread may need a moment to let go. */
static void end(struct book *book) {
    WAIT_FOR(book->destroyed != 0);
    CHECK(book->wrong == 0);
    CHECK(book->texts == 0);
    CHECK(book->destroyed == 1);
    free(book->text);
}

static planetkey_storage all_callbacks(struct book *book) {
    return (planetkey_storage){.size = sizeof(planetkey_storage),
                               .user_data = book,
                               .load = load,
                               .free_text = free_text,
                               .save = save,
                               .lock = lock,
                               .unlock = unlock,
                               .free_user_data = free_user_data};
}

static planetkey_options *options_with(struct book *book) {
    planetkey_storage storage = all_callbacks(book);
    planetkey_options *options = simulator_options();
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    /* It has been copied. */
    memset(&storage, 0xff, sizeof storage);
    return options;
}

static planetkey_session *session_with(struct book *book) {
    planetkey_options *options = options_with(book);
    planetkey_session *session = simulator_user_session_with(options);
    planetkey_options_free(options);
    return session;
}

static void token_of(const planetkey_session *session, char *text, size_t size) {
    planetkey_string *token = NULL;
    text[0] = '\0';
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    if (token) {
        snprintf(text, size, "%s", planetkey_string_data(token));
    }
    planetkey_string_free(token);
}

/* A member of what is stored; to be freed with free(). */
static char *member_of(const char *text, const char *name) {
    cJSON *json = cJSON_Parse(text);
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
    char *copy = value ? strdup(value) : NULL;
    cJSON_Delete(json);
    return copy;
}

static void what_is_stored_is_used(void) {
    struct book book;
    planetkey_session *session;
    planetkey_session_info *info = NULL;
    char token[8192];
    char *stored;
    begin_with(&book, NULL);
    session = session_with(&book);
    /* Opening asks for nothing. */
    CHECK_TEXT(book.events, "");
    CHECK_TEXT(book.foreign_events, "");
    token_of(session, token, sizeof token);
    stored = member_of(book.text, "access_token");
    CHECK_TEXT(token, stored);
    CHECK_TEXT(book.foreign_events, "lock load unlock ");
    CHECK(book.lock_timeout_ms > 0 && book.lock_timeout_ms <= 30000);
    CHECK(planetkey_session_is_initialized(session));
    CHECK_OK(planetkey_session_status(session, &info, &error));
    CHECK(planetkey_session_info_file(info, 0) == NULL);
    CHECK_TEXT(planetkey_session_info_profile(info, 0), "planet-user");
    planetkey_session_info_free(info);
    token_of(session, token, sizeof token);
    CHECK_TEXT(book.foreign_events, "lock load unlock ");
    CHECK_TEXT(book.events, "");
    CHECK(simulator_count("user.token") == 0);
    CHECK(entries(home_file("")) == 0);
    free(stored);
    planetkey_session_free(session);
    end(&book);
}

static void a_renewal_is_saved_before_it_is_used(void) {
    struct book book;
    struct book without_lock;
    planetkey_options *options;
    planetkey_storage storage;
    planetkey_session *session;
    planetkey_session *other;
    char token[8192];
    char same[8192];
    char *before;
    char *stored;
    char *refresh_token;
    begin_with(&book, "{\"life\":0}");
    before = member_of(book.text, "refresh_token");
    options = options_with(&book);
    session = simulator_user_session_with(options);
    token_of(session, token, sizeof token);
    CHECK_TEXT(book.foreign_events, "lock load save unlock ");
    stored = member_of(book.text, "access_token");
    refresh_token = member_of(book.text, "refresh_token");
    CHECK_TEXT(stored, token);
    CHECK(refresh_token && strcmp(refresh_token, before) != 0);
    CHECK(simulator_count("user.rotations") == 1);

    /* Another session of the same options has the same storage. */
    other = simulator_user_session_with(options);
    planetkey_options_free(options);
    token_of(other, same, sizeof same);
    CHECK_TEXT(same, token);
    CHECK(simulator_count("user.token") == 1);
    planetkey_session_free(other);
    CHECK(book.destroyed == 0);
    planetkey_session_free(session);
    end(&book);
    free(before);
    free(stored);
    free(refresh_token);

    /* The least that a storage has; and a machine's tokens are kept there too. */
    begin(&without_lock);
    storage = (planetkey_storage){.size = sizeof storage, .user_data = &without_lock, .load = load, .save = save};
    options = simulator_options();
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    token_of(session, token, sizeof token);
    CHECK_TEXT(without_lock.foreign_events, "load save ");
    stored = member_of(without_lock.text, "access_token");
    CHECK_TEXT(stored, token);
    CHECK(entries(home_file("")) == 0);
    planetkey_session_free(session);
    CHECK(without_lock.wrong == 0 && without_lock.destroyed == 0);
    free(stored);
    free(without_lock.text);
}

static void logout_stores_nothing(void) {
    struct book book;
    planetkey_session *session;
    planetkey_string *token = NULL;
    planetkey_error *error = NULL;
    char text[8192];
    bool removed = false;
    begin_with(&book, NULL);
    session = session_with(&book);
    token_of(session, text, sizeof text);
    CHECK_OK(planetkey_session_logout(session, &removed, &error));
    CHECK(removed && book.text == NULL);
    CHECK_TEXT(book.events, "lock load save-nothing unlock ");
    CHECK(planetkey_session_access_token(session, &token, &error) == PLANETKEY_STATUS_LOGIN_REQUIRED);
    CHECK_TEXT(planetkey_error_reason(error), "logged_out");
    planetkey_error_free(error);
    CHECK_OK(planetkey_session_logout(session, &removed, &error));
    CHECK(!removed);
    book.save_status = PLANETKEY_STATUS_STORAGE;
    CHECK_STATUS(planetkey_session_logout(session, &removed, &error), PLANETKEY_STATUS_STORAGE);
    planetkey_session_free(session);
    end(&book);
}

/* The first call of a session with such a storage. */
static void refuses(struct book *book, planetkey_status expected, const char *reason, const char *words) {
    planetkey_session *session = session_with(book);
    planetkey_string *token = NULL;
    planetkey_error *error = NULL;
    planetkey_status status = planetkey_session_access_token(session, &token, &error);
    const char *message = planetkey_error_message(error);
    if (!CHECK(status == expected)) {
        fprintf(stderr, "    %s: %s\n", planetkey_status_name((int32_t)status), message ? message : "");
    }
    CHECK_TEXT(planetkey_error_reason(error), reason);
    if (!CHECK(message && strstr(message, words) != NULL)) {
        fprintf(stderr, "    %s\n", message ? message : "");
    }
    CHECK(token == NULL);
    planetkey_error_free(error);
    planetkey_session_free(session);
    end(book);
}

static void its_failures_are_the_callers(void) {
    static char long_text[(1 << 20) + 1];
    static const int32_t statuses[] = {10, 6, 4711, -1, INT32_MIN};
    struct book book;
    char words[64];
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; ++i) {
        snprintf(words, sizeof words, "load returned %d", (int)statuses[i]);
        begin_with(&book, NULL);
        book.load_status = statuses[i];
        refuses(&book, PLANETKEY_STATUS_STORAGE, NULL, words);
        snprintf(words, sizeof words, "lock returned %d", (int)statuses[i]);
        begin_with(&book, NULL);
        book.lock_status = statuses[i];
        refuses(&book, PLANETKEY_STATUS_STORAGE, NULL, words);
    }
    begin_with(&book, NULL);
    book.lock_status = PLANETKEY_STATUS_TIMEOUT;
    refuses(&book, PLANETKEY_STATUS_TIMEOUT, NULL, "locked");

    /* What was stored is no session. */
    begin(&book);
    refuses(&book, PLANETKEY_STATUS_LOGIN_REQUIRED, "never_logged_in", "log in");
    begin(&book);
    keep(&book, "", 0);
    refuses(&book, PLANETKEY_STATUS_LOGIN_REQUIRED, "never_logged_in", "log in");
    begin(&book);
    keep(&book, "{\"access_token\":", 16);
    refuses(&book, PLANETKEY_STATUS_LOGIN_REQUIRED, "corrupt", "log in");
    begin(&book);
    keep(&book, "{}\0{}", 5);
    refuses(&book, PLANETKEY_STATUS_LOGIN_REQUIRED, "corrupt", "log in");
    begin(&book);
    keep(&book, "\xff\xfe", 2);
    refuses(&book, PLANETKEY_STATUS_STORAGE, NULL, "UTF-8");
    begin(&book);
    memset(long_text, ' ', sizeof long_text);
    keep(&book, long_text, sizeof long_text);
    refuses(&book, PLANETKEY_STATUS_STORAGE, NULL, "longer than 1048576 bytes");
    CHECK(simulator_count("user.token") == 0);
}

/* What was renewed and cannot be saved is used all the same, and status() says so. */
static void what_cannot_be_saved_is_used(void) {
    struct book book;
    planetkey_session *session;
    planetkey_session_info *info = NULL;
    char token[8192];
    begin_with(&book, "{\"life\":0}");
    book.save_status = 4711;
    session = session_with(&book);
    token_of(session, token, sizeof token);
    CHECK(simulator_count("user.rotations") == 1);
    CHECK_OK(planetkey_session_status(session, &info, &error));
    CHECK(planetkey_session_info_note_count(info) == 1 &&
          strstr(planetkey_session_info_note(info, 0), "save returned 4711") != NULL);
    planetkey_session_info_free(info);

    /* A renewal goes on with what is in memory, and saves when it can. */
    book.save_status = 0;
    CHECK_OK(planetkey_session_refresh(session, &error));
    CHECK(simulator_count("user.reuse") == 0 && simulator_count("user.families.alive") == 1);
    CHECK_OK(planetkey_session_status(session, &info, &error));
    CHECK(planetkey_session_info_note_count(info) == 0);
    planetkey_session_info_free(info);
    planetkey_session_free(session);
    end(&book);
}

/* Whatever happens to the options and sessions, the user data is freed once, and not while somebody may call. */
static void user_data_is_freed_once(void) {
    struct book first;
    struct book second;
    planetkey_storage storage;
    planetkey_options *options;
    planetkey_session *session;
    planetkey_session *copy;
    planetkey_session *hurried = NULL;

    begin(&first);
    options = options_with(&first);
    session = simulator_user_session_with(options);
    copy = planetkey_session_clone(session);
    CHECK_OK(planetkey_session_with_timeout_ms(session, 1000, &hurried, &error));
    planetkey_options_free(options);
    planetkey_session_free(session);
    planetkey_session_free(copy);
    CHECK(first.destroyed == 0);
    planetkey_session_free(hurried);
    end(&first);

    /* Another one takes its place, and none. */
    begin(&first);
    begin(&second);
    options = options_with(&first);
    storage = all_callbacks(&second);
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    CHECK(first.destroyed == 1 && second.destroyed == 0);
    CHECK_OK(planetkey_options_set_storage(options, NULL, &error));
    CHECK(second.destroyed == 1);
    planetkey_options_free(options);
    end(&first);
    end(&second);

    /* A constructor that fails keeps nothing. */
    begin(&first);
    options = options_with(&first);
    CHECK_STATUS(planetkey_session_from_profile("no such profile", options, &session, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_session_from_defaults(options, &session, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(first.destroyed == 0);
    planetkey_options_free(options);
    end(&first);
}

/* The last handle is freed while a renewal is under way: it ends as if somebody were waiting, and its tokens are kept. */
static void user_data_outlives_a_renewal(void) {
    struct book book;
    planetkey_session *session;
    planetkey_session *hurried = NULL;
    planetkey_string *token = NULL;
    char *before;
    char *after;
    begin_with(&book, "{\"life\":0}");
    before = member_of(book.text, "refresh_token");
    session = session_with(&book);
    CHECK_OK(planetkey_session_with_timeout_ms(session, 1, &hurried, &error));
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    CHECK_STATUS(planetkey_session_access_token(hurried, &token, &error), PLANETKEY_STATUS_TIMEOUT);
    simulator_wait_held("gate", 1);
    planetkey_session_free(hurried);
    planetkey_session_free(session);
    CHECK(book.destroyed == 0);
    CHECK(!planetkey_settle(0));
    simulator_release("gate");
    CHECK(planetkey_settle(30000));
    after = member_of(book.text, "refresh_token");
    CHECK(after && strcmp(after, before) != 0);
    end(&book);
    free(before);
    free(after);
}

static void bad_structs(void) {
    static const size_t sizes[] = {0, 1, sizeof(planetkey_storage) - 1, 4097, (size_t)1 << 40, SIZE_MAX};
    struct {
        planetkey_storage storage;
        void (*later)(void);
        char more[16];
    } larger;
    struct book book;
    planetkey_storage storage;
    planetkey_options *options = simulator_options();
    begin(&book);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
        storage = all_callbacks(&book);
        storage.size = sizes[i];
        CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
        /* Who knows what it is that stands there. */
        CHECK(book.destroyed == 0);
    }
    storage = all_callbacks(&book);
    storage.load = NULL;
    CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 1);
    storage = all_callbacks(&book);
    storage.save = NULL;
    CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 2);
    storage = all_callbacks(&book);
    storage.lock = NULL;
    CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 3);
    storage = all_callbacks(&book);
    storage.unlock = NULL;
    CHECK_STATUS(planetkey_options_set_storage(options, &storage, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 4);
    storage = all_callbacks(&book);
    CHECK_STATUS(planetkey_options_set_storage(NULL, &storage, &error), PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(book.destroyed == 5);
    /* The struct of a later version, without and with something in what is not known here. */
    memset(&larger, 0, sizeof larger);
    larger.storage = all_callbacks(&book);
    larger.storage.size = sizeof larger;
    CHECK_OK(planetkey_options_set_storage(options, &larger.storage, &error));
    CHECK(book.destroyed == 5);
    larger.more[sizeof larger.more - 1] = 1;
    CHECK_STATUS(planetkey_options_set_storage(options, &larger.storage, &error), PLANETKEY_STATUS_UNSUPPORTED);
    CHECK(book.destroyed == 6);
    planetkey_options_free(options);
    CHECK(book.destroyed == 7);
}

/* What a storage may do: use other sessions, look at its own. What it may not wait for, it is told at once. */
static void call_planetkey(struct book *book) {
    planetkey_session *key = NULL;
    planetkey_session_info *info = NULL;
    planetkey_authorization *authorization = NULL;
    book->inside_load = NULL;
    if (planetkey_session_from_api_key("key", 0, NULL, &key, NULL) != PLANETKEY_STATUS_OK ||
        planetkey_session_status(book->session, &info, NULL) != PLANETKEY_STATUS_OK ||
        planetkey_session_headers_cached(book->session, simulator_variable("PLANETKEY_SIMULATOR_PLANET_API"), &authorization, NULL) !=
            PLANETKEY_STATUS_OK ||
        planetkey_session_logout(book->session, NULL, NULL) != PLANETKEY_STATUS_UNAVAILABLE) {
        ++book->wrong;
    }
    book->found_inside = planetkey_session_refresh(book->session, NULL);
    planetkey_authorization_free(authorization);
    planetkey_session_info_free(info);
    planetkey_session_free(key);
}

static void it_may_call_planetkey(void) {
    struct book book;
    planetkey_session *session;
    char token[8192];
    begin_with(&book, NULL);
    book.inside_load = call_planetkey;
    session = session_with(&book);
    book.session = session;
    token_of(session, token, sizeof token);
    CHECK(book.found_inside == PLANETKEY_STATUS_UNAVAILABLE);
    /* The same on the thread that logs out. */
    book.inside_load = call_planetkey;
    book.found_inside = PLANETKEY_STATUS_INTERNAL;
    CHECK_OK(planetkey_session_logout(session, NULL, &error));
    CHECK(book.found_inside == PLANETKEY_STATUS_UNAVAILABLE);
    planetkey_session_free(session);
    end(&book);
}

static void *renew(void *argument) {
    struct book *book = argument;
    book->found_inside = planetkey_session_refresh(book->session, NULL);
    return NULL;
}

/* Without a lock in the storage, too: a logout waits for the renewal that is under way, which would undo it. */
static void logout_waits_for_a_renewal(void) {
    struct book book;
    planetkey_storage storage;
    planetkey_options *options = simulator_options();
    planetkey_session *session;
    planetkey_session *hurried = NULL;
    planetkey_string *token = NULL;
    pthread_t thread;
    char text[8192];
    bool removed = true;
    begin_with(&book, NULL);
    storage = all_callbacks(&book);
    storage.lock = NULL;
    storage.unlock = NULL;
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    session = simulator_user_session_with(options);
    planetkey_options_free(options);
    book.session = session;
    token_of(session, text, sizeof text);
    CHECK_OK(planetkey_session_with_timeout_ms(session, 50, &hurried, &error));
    simulator_script("user.token", "[{\"hold\":\"gate\"}]", 0);
    CHECK(pthread_create(&thread, NULL, renew, &book) == 0);
    simulator_wait_held("gate", 1);
    CHECK_STATUS(planetkey_session_logout(hurried, &removed, &error), PLANETKEY_STATUS_TIMEOUT);
    CHECK(!removed && book.text != NULL);
    simulator_release("gate");
    CHECK_OK(planetkey_session_logout(session, &removed, &error));
    pthread_join(thread, NULL);
    CHECK(removed && book.text == NULL);
    CHECK(book.found_inside == PLANETKEY_STATUS_OK);
    CHECK_STATUS(planetkey_session_access_token(session, &token, &error), PLANETKEY_STATUS_LOGIN_REQUIRED);
    planetkey_session_free(hurried);
    planetkey_session_free(session);
    end(&book);
}

struct busy {
    pthread_t thread;
    const planetkey_session *session;
    int turn;
    int wrong;
};

static void *be_busy(void *argument) {
    struct busy *busy = argument;
    for (int i = 0; i < 20; ++i) {
        planetkey_string *token = NULL;
        planetkey_status status;
        switch ((busy->turn + i) % 4) {
        case 0:
            status = planetkey_session_refresh(busy->session, NULL);
            break;
        case 1:
            status = planetkey_session_logout(busy->session, NULL, NULL);
            break;
        default:
            status = planetkey_session_access_token(busy->session, &token, NULL);
        }
        busy->wrong += status != PLANETKEY_STATUS_OK;
        planetkey_string_free(token);
    }
    return NULL;
}

/* A storage without a lock of its own: one session calls from one thread at a time, whoever asks it for what. */
static void one_session_calls_from_one_thread_at_a_time(void) {
    struct busy busy[16];
    struct book book;
    planetkey_storage storage;
    planetkey_options *options = simulator_options();
    planetkey_session *session;
    begin(&book);
    storage = all_callbacks(&book);
    storage.lock = NULL;
    storage.unlock = NULL;
    CHECK_OK(planetkey_options_set_storage(options, &storage, &error));
    session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    for (int i = 0; i < 16; ++i) {
        busy[i] = (struct busy){.session = session, .turn = i};
        CHECK(pthread_create(&busy[i].thread, NULL, be_busy, &busy[i]) == 0);
    }
    for (int i = 0; i < 16; ++i) {
        pthread_join(busy[i].thread, NULL);
        CHECK(busy[i].wrong == 0);
    }
    planetkey_session_free(session);
    end(&book);
}

int main(void) {
    void (*const tests[])(void) = {what_is_stored_is_used,       a_renewal_is_saved_before_it_is_used,
                                   logout_stores_nothing,        its_failures_are_the_callers,
                                   what_cannot_be_saved_is_used, user_data_is_freed_once,
                                   user_data_outlives_a_renewal, bad_structs,
                                   it_may_call_planetkey,        logout_waits_for_a_renewal,
                                   one_session_calls_from_one_thread_at_a_time};
    simulator_start();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
