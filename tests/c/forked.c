/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Children made by fork(), at any moment, use their parent's session. Programs started by exec()
 * inherit nothing of it. In a child, valgrind reports what the parent's other threads held as
 * leaked, so that this program runs there without the check for leaks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "simulator.h"
#include "support.h"
#include "test.h"

static const char *self;

/* The file descriptors that were open at the start: ",0,1,2,". */
static char inherited[4096];

/* The access token, or "". For children, which do not count checks. */
static const char *token_of(const planetkey_session *session) {
    static char text[8192];
    planetkey_string *token = NULL;
    text[0] = '\0';
    if (planetkey_session_access_token(session, &token, NULL) == PLANETKEY_STATUS_OK) {
        snprintf(text, sizeof text, "%s", planetkey_string_data(token));
    }
    planetkey_string_free(token);
    return text;
}

static planetkey_session *in_memory(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *session;
    CHECK_OK(planetkey_options_set_save(options, false, &error));
    session = simulator_m2m_session_with(options);
    planetkey_options_free(options);
    return session;
}

/* A request on another thread. */
struct asking {
    pthread_t thread;
    const planetkey_session *session;
    planetkey_status status;
};

static void *ask(void *argument) {
    struct asking *asking = argument;
    asking->status = planetkey_session_refresh(asking->session, NULL);
    return NULL;
}

/* A thread that refreshes this session; the server holds its request in "gate". */
static void start_asking(struct asking *asking, const planetkey_session *session,
                         const char *target) {
    *asking = (struct asking){.session = session, .status = PLANETKEY_STATUS_INTERNAL};
    simulator_script(target, "[{\"hold\":\"gate\"}]", 0);
    CHECK(pthread_create(&asking->thread, NULL, ask, asking) == 0);
    simulator_wait_held("gate", 1);
}

static void let_go(struct asking *asking) {
    simulator_release("gate");
    pthread_join(asking->thread, NULL);
    CHECK(asking->status == PLANETKEY_STATUS_OK);
}

static void f100_a_child_made_before_the_first_use(void) {
    planetkey_session *session;
    planetkey_session *m2m = in_memory();
    char token[8192];
    pid_t child;
    simulator_log_in("{\"lifetime\":0}");
    session = simulator_user_session();
    child = fork();
    if (child == 0) {
        int good = token_of(session)[0] != '\0';
        write_text(home_file("token"), token_of(session));
        good = good && token_of(m2m)[0] != '\0';
        planetkey_session_free(session);
        planetkey_session_free(m2m);
        _exit(good ? 0 : 1);
    }
    CHECK(child > 0 && ended(child) == 0);
    /* The child's new token is on disk. Its memory is its own. */
    snprintf(token, sizeof token, "%s", token_of(session));
    {
        char *childs = read_text(home_file("token"));
        CHECK_TEXT(token, childs);
        free(childs);
    }
    CHECK(simulator_count("user.token") == 1 && simulator_count("user.reuse") == 0);
    CHECK(token_of(m2m)[0] != '\0');
    CHECK(simulator_count("m2m.token") == 2);
    planetkey_session_free(session);
    planetkey_session_free(m2m);
}

/* The child uses the token of its parent, and refreshes it over its own connection. */
static void f101_a_child_continues_with_the_session(void) {
    planetkey_session *session = in_memory();
    char token[8192];
    pid_t child;
    snprintf(token, sizeof token, "%s", token_of(session));
    child = fork();
    if (child == 0) {
        int good = strcmp(token_of(session), token) == 0 &&
                   planetkey_session_refresh(session, NULL) == PLANETKEY_STATUS_OK &&
                   token_of(session)[0] != '\0' && strcmp(token_of(session), token) != 0;
        planetkey_session_free(session);
        _exit(good ? 0 : 1);
    }
    CHECK(child > 0 && ended(child) == 0);
    CHECK_TEXT(token_of(session), token);
    CHECK_OK(planetkey_session_refresh(session, &error));
    CHECK(simulator_count("m2m.token") == 3);
    planetkey_session_free(session);
}

/* The same with a session on disk, whose refresh token only one of them can use. */
static void f101_parent_and_child_share_a_session_on_disk(void) {
    planetkey_session *session;
    char token[8192];
    pid_t child;
    simulator_log_in(NULL);
    session = simulator_user_session();
    snprintf(token, sizeof token, "%s", token_of(session));
    CHECK(token[0] != '\0');
    child = fork();
    if (child == 0) {
        int good = strcmp(token_of(session), token) == 0 &&
                   planetkey_session_refresh(session, NULL) == PLANETKEY_STATUS_OK &&
                   strcmp(token_of(session), token) != 0;
        planetkey_session_free(session);
        _exit(good ? 0 : 1);
    }
    CHECK(child > 0 && ended(child) == 0);
    /* It checks the file once a second. If it did not, the test would time out. */
    WAIT_FOR(strcmp(token_of(session), token) != 0);
    CHECK_OK(planetkey_session_refresh(session, &error));
    CHECK(simulator_count("user.rotations") == 2 && simulator_count("user.reuse") == 0);
    CHECK(simulator_count("user.sessions.active") == 1);
    planetkey_session_free(session);
}

static void f102_a_child_made_while_another_thread_refreshes(void) {
    planetkey_session *session = in_memory();
    struct asking asking;
    char token[8192];
    pid_t child;
    snprintf(token, sizeof token, "%s", token_of(session));
    start_asking(&asking, session, "m2m.token");
    child = fork();
    if (child == 0) {
        /* The child does not wait for its parent's refresh, and can make its own. */
        int good = strcmp(token_of(session), token) == 0 &&
                   planetkey_session_refresh(session, NULL) == PLANETKEY_STATUS_OK &&
                   strcmp(token_of(session), token) != 0;
        planetkey_session_free(session);
        _exit(good ? 0 : 1);
    }
    CHECK(child > 0 && ended(child) == 0);
    CHECK_TEXT(token_of(session), token);
    let_go(&asking);
    CHECK(strcmp(token_of(session), token) != 0);
    CHECK(simulator_count("m2m.token") == 3);
    planetkey_session_free(session);
}

/* Process exit waits for refreshes of a user session, but a child without a refresh does not wait.
 */
static void f102_a_child_does_not_wait_for_its_parents_refreshes(void) {
    planetkey_session *session;
    struct asking asking;
    pid_t child;
    simulator_log_in(NULL);
    session = simulator_user_session();
    start_asking(&asking, session, "user.token");
    CHECK(!planetkey_settle(0));
    fflush(NULL);
    child = fork();
    if (child == 0) {
        /* With exit(), so that the library's exit handler runs. */
        exit(planetkey_settle(0) && token_of(session)[0] != '\0' ? 0 : 1);
    }
    CHECK(child > 0 && ended(child) == 0);
    CHECK(!planetkey_settle(0));
    let_go(&asking);
    CHECK(planetkey_settle(30000));
    CHECK(simulator_count("user.rotations") == 1);
    planetkey_session_free(session);
}

static atomic_int stop;
static atomic_int failures;

static void *refresh_without_pause(void *argument) {
    const planetkey_session *session = argument;
    while (!stop) {
        planetkey_string *token = NULL;
        failures += planetkey_session_refresh(session, NULL) != PLANETKEY_STATUS_OK;
        failures += planetkey_session_access_token(session, &token, NULL) != PLANETKEY_STATUS_OK;
        planetkey_string_free(token);
    }
    return NULL;
}

/* fork() while other threads start or complete a refresh, write a file or publish a token. The
 * child does not touch the lock of the session on disk, which its parent takes repeatedly. */
static void f102_children_made_at_any_moment(void) {
    planetkey_session *session = in_memory();
    planetkey_session *saved = simulator_m2m_session();
    pthread_t threads[3];
    CHECK(token_of(session)[0] != '\0' && token_of(saved)[0] != '\0');
    for (int i = 0; i < 3; ++i) {
        CHECK(pthread_create(&threads[i], NULL, refresh_without_pause, i > 0 ? session : saved) ==
              0);
    }
    for (int i = 0; i < 20; ++i) {
        pid_t child = fork();
        if (child == 0) {
            int good = token_of(session)[0] != '\0' &&
                       planetkey_session_refresh(session, NULL) == PLANETKEY_STATUS_OK &&
                       token_of(saved)[0] != '\0';
            planetkey_session_free(session);
            planetkey_session_free(saved);
            _exit(good ? 0 : 1);
        }
        CHECK(child > 0 && ended(child) == 0);
    }
    stop = 1;
    for (int i = 0; i < 3; ++i) {
        pthread_join(threads[i], NULL);
    }
    CHECK(failures == 0);
    planetkey_session_free(session);
    planetkey_session_free(saved);
}

/* Whether the lock of the profile planet-user is held, tested with another open file, as another
 * process would. */
static int is_locked(void) {
    int file = open(home_file(".planet/planet-user/token.json.lock"), O_RDWR | O_CLOEXEC);
    int locked = file >= 0 && flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (file >= 0) {
        close(file);
    }
    return locked;
}

static void f103_the_lock_that_a_child_inherits(void) {
    planetkey_session *session;
    planetkey_session *hurried = NULL;
    struct asking asking;
    int wake[2];
    char byte = 0;
    pid_t child;
    simulator_log_in(NULL);
    session = simulator_user_session();
    CHECK_OK(planetkey_session_with_timeout_ms(session, 100, &hurried, &error));
    start_asking(&asking, session, "user.token");
    CHECK(is_locked());

    /* The lock is not the child's, although it inherits the open file. Neither its wait nor its
     * exit unlocks it. */
    child = fork();
    if (child == 0) {
        int good = planetkey_session_refresh(hurried, NULL) == PLANETKEY_STATUS_TIMEOUT;
        planetkey_session_free(hurried);
        planetkey_session_free(session);
        _exit(good ? 0 : 1);
    }
    CHECK(child > 0 && ended(child) == 0);
    CHECK(is_locked());
    CHECK(simulator_count("user.token") == 1);

    /* A child that still has the open file does not hold the lock when its parent has finished. */
    CHECK(pipe(wake) == 0);
    child = fork();
    if (child == 0) {
        int good = read(wake[0], &byte, 1) == 1 && !is_locked() &&
                   planetkey_session_refresh(session, NULL) == PLANETKEY_STATUS_OK &&
                   token_of(session)[0] != '\0';
        planetkey_session_free(hurried);
        planetkey_session_free(session);
        _exit(good ? 0 : 1);
    }
    let_go(&asking);
    /* The refreshing thread unlocks after it has reported the result. */
    CHECK(planetkey_settle(30000));
    CHECK(!is_locked());
    CHECK(write(wake[1], "x", 1) == 1);
    CHECK(child > 0 && ended(child) == 0);
    close(wake[0]);
    close(wake[1]);
    CHECK(simulator_count("user.reuse") == 0 && simulator_count("user.sessions.active") == 1);
    planetkey_session_free(hurried);
    planetkey_session_free(session);
}

/* Calls `visit` for each open file descriptor with its target. */
static void descriptors(void (*visit)(int number, const char *target, void *argument),
                        void *argument) {
    DIR *list = opendir("/proc/self/fd");
    const struct dirent *entry;
    while (list && (entry = readdir(list)) != NULL) {
        char target[1024];
        int number = atoi(entry->d_name);
        ssize_t length = readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1);
        if (length < 0 || number == dirfd(list)) {
            continue;
        }
        target[length] = '\0';
        visit(number, target, argument);
    }
    if (list) {
        closedir(list);
    }
}

static void append(int number, const char *target, void *argument) {
    char *text = argument;
    size_t length = strlen(text);
    (void)target;
    snprintf(text + length, sizeof inherited - length, "%d,", number);
}

static void note_inherited(void) {
    strcpy(inherited, ",");
    descriptors(append, inherited);
}

/* The file descriptors that are open in addition. */
struct additional {
    const char *known;
    int locks;
    int sockets;
    int all;
};

static void look(int number, const char *target, void *argument) {
    struct additional *additional = argument;
    char wanted[32];
    snprintf(wanted, sizeof wanted, ",%d,", number);
    if (strstr(additional->known, wanted)) {
        return;
    }
    ++additional->all;
    additional->locks += strstr(target, "token.json.lock") != NULL;
    additional->sockets += strncmp(target, "socket:", 7) == 0;
}

/* The started program: 0 if it inherited nothing. */
static int look_around(const char *known) {
    struct additional additional = {.known = known};
    descriptors(look, &additional);
    return additional.all;
}

static void f104_a_started_program_inherits_no_descriptor(void) {
    const char *const arguments[] = {"look_around", inherited, NULL};
    struct additional additional = {.known = inherited};
    planetkey_session *session;
    struct asking asking;
    simulator_log_in(NULL);
    session = simulator_user_session();
    start_asking(&asking, session, "user.token");
    /* Something could be inherited: the lock and the connection. */
    descriptors(look, &additional);
    CHECK(additional.locks == 1 && additional.sockets >= 1);
    CHECK(ended(start_again(self, arguments)) == 0);
    let_go(&asking);
    planetkey_session_free(session);
}

int main(int argc, char **argv) {
    void (*const tests[])(void) = {f100_a_child_made_before_the_first_use,
                                   f101_a_child_continues_with_the_session,
                                   f101_parent_and_child_share_a_session_on_disk,
                                   f102_a_child_made_while_another_thread_refreshes,
                                   f102_a_child_does_not_wait_for_its_parents_refreshes,
                                   f102_children_made_at_any_moment,
                                   f103_the_lock_that_a_child_inherits,
                                   f104_a_started_program_inherits_no_descriptor};
    if (argc == 3 && strcmp(argv[1], "look_around") == 0) {
        return look_around(argv[2]);
    }
    self = argv[0];
    note_inherited();
    simulator_start();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
