/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* participant URL THREADS one|each look|blind: opens the default session, once or for each thread,
 * prints `ready` on the error stream, waits for the end of its input, prints `asking`, and prints
 * each thread's result: the header, or the name of the error. */
#define _POSIX_C_SOURCE 200809L

#include <planetkey.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_THREADS = 64, HEADER_SIZE = 16384 };

struct asking {
    pthread_barrier_t *barrier;
    const planetkey_session *session;
    const char *url;
    planetkey_status status;
    char header[HEADER_SIZE];
};

static void end_unless(int well, const char *what) {
    if (!well) {
        fprintf(stderr, "participant: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* In one write, because the processes share the error stream. */
static void say(const char *line) {
    end_unless(write(STDERR_FILENO, line, strlen(line)) == (ssize_t)strlen(line), "cannot write");
}

static void wait_for_end_of_input(void) {
    char ignored[16];
    ssize_t count;
    do {
        count = read(STDIN_FILENO, ignored, sizeof ignored);
    } while (count > 0);
    end_unless(count == 0, "cannot read");
}

static planetkey_session *open_session(int look) {
    planetkey_session *session = NULL;
    planetkey_status status = planetkey_session_from_defaults(NULL, &session, NULL);
    end_unless(status == PLANETKEY_STATUS_OK, planetkey_status_name(status));
    end_unless(!look || planetkey_session_is_initialized(session),
               "the session is not initialized");
    return session;
}

static void *ask(void *context) {
    struct asking *asking = context;
    pthread_barrier_wait(asking->barrier);
    asking->status = planetkey_session_copy_header(asking->session, asking->url, asking->header,
                                                   sizeof asking->header, NULL, NULL);
    return NULL;
}

int main(int count, char **arguments) {
    end_unless(count == 5, "URL THREADS one|each look|blind");
    int thread_count = atoi(arguments[2]);
    end_unless(thread_count > 0 && thread_count <= MOST_THREADS, "so many threads are not offered");
    int each = strcmp(arguments[3], "each") == 0;
    int look = strcmp(arguments[4], "look") == 0;

    static planetkey_session *sessions[MOST_THREADS];
    static struct asking askings[MOST_THREADS];
    static pthread_t threads[MOST_THREADS];
    int session_count = each ? thread_count : 1;
    for (int i = 0; i < session_count; ++i) {
        sessions[i] = open_session(look);
    }
    pthread_barrier_t barrier;
    end_unless(pthread_barrier_init(&barrier, NULL, (unsigned)thread_count) == 0, "no barrier");
    say("ready\n");
    wait_for_end_of_input();
    say("asking\n");
    for (int i = 0; i < thread_count; ++i) {
        askings[i] = (struct asking){
            .barrier = &barrier, .session = sessions[each ? i : 0], .url = arguments[1]};
        end_unless(pthread_create(&threads[i], NULL, ask, &askings[i]) == 0, "no thread");
    }
    for (int i = 0; i < thread_count; ++i) {
        pthread_join(threads[i], NULL);
        puts(askings[i].status == PLANETKEY_STATUS_OK ? askings[i].header
                                                      : planetkey_status_name(askings[i].status));
    }
    for (int i = 0; i < session_count; ++i) {
        planetkey_session_free(sessions[i]);
    }
    return EXIT_SUCCESS;
}
