/* A thread that Python does not know, as GDAL starts them, and a call that waits for it. */
#include <pthread.h>

void *open_in_thread(void *(*open)(const char *, const char *), const char *name);

struct call {
    void *(*open)(const char *, const char *);
    const char *name;
};

static void *run(void *user_data) {
    const struct call *call = user_data;
    return call->open(call->name, "rb");
}

void *open_in_thread(void *(*open)(const char *, const char *), const char *name) {
    struct call call;
    pthread_t thread;
    void *file = NULL;
    call.open = open;
    call.name = name;
    if (pthread_create(&thread, NULL, run, &call) != 0 || pthread_join(thread, &file) != 0)
        return NULL;
    return file;
}
