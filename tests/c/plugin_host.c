/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A program that does not link the library unloads a plug-in that does, while a thread of the
 * library refreshes a token. */
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int failed;
static uint32_t timeout_ms;

static void check(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "failed: %s\n", what);
        failed = 1;
    }
}

/* POST to the simulator, without a library that could be unloaded with the plug-in. */
static void control(const char *path, const char *body) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *port = strrchr(getenv("PLANETKEY_SIMULATOR"), ':');
    char bytes[4096];
    ssize_t length;
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)atoi(port + 1));
    check(connect(connection, (struct sockaddr *)&address, sizeof address) == 0, "the simulator");
    length = snprintf(bytes, sizeof bytes,
                      "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                      "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                      path, strlen(body), body);
    check(write(connection, bytes, (size_t)length) == length, "a request to the simulator");
    while (read(connection, bytes, sizeof bytes) > 0) {
    }
    close(connection);
}

static int thread_count(void) {
    int count = 0;
    const struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");
    while ((entry = readdir(tasks)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(tasks);
    return count;
}

/* On another thread, because a library that a thread has used is unloaded only after the thread
 * ended. */
static void *use(void *argument) {
    int (*refresh)(const char *, const char *, const char *, uint32_t);
    void *plugin = dlopen(argument, RTLD_NOW | RTLD_LOCAL);
    if (!plugin) {
        fprintf(stderr, "%s\n", dlerror());
        failed = 1;
        return NULL;
    }
    *(void **)&refresh = dlsym(plugin, "plugin_refresh");
    refresh(getenv("PLANETKEY_DEPLOYMENT"), getenv("PL_AUTH_CLIENT_ID"),
            getenv("PL_AUTH_CLIENT_SECRET"), timeout_ms);
    return plugin;
}

/* Whether code of the library is mapped. */
static int is_loaded(void) {
    char line[4096];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (fgets(line, sizeof line, maps)) {
        found |= strstr(line, "libplanetkey") != NULL;
    }
    fclose(maps);
    return found;
}

static void unload(char *path, uint32_t timeout) {
    pthread_t thread;
    void *plugin = NULL;
    timeout_ms = timeout;
    check(pthread_create(&thread, NULL, use, path) == 0, "a thread");
    pthread_join(thread, &plugin);
    check(plugin && dlclose(plugin) == 0, "dlclose");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        return 2;
    }
    control("/reset", "{}");
    /* i9_10: dlclose() unloads the plug-in. A thread of the library may still run. */
    unload(argv[1], 30000);
    check(is_loaded(), "i9_10: the library stays loaded");
    /* The caller's deadline passes before the server responds. A thread of the library still waits.
     */
    control("/script",
            "{\"target\":\"m2m.token\",\"steps\":[{\"hold\":\"gate\"}],\"repeat\":false}");
    unload(argv[1], 1);
    check(thread_count() > 1, "a thread of the library is there still");
    control("/release", "{\"hold\":\"gate\"}");
    while (thread_count() > 1) {
        sched_yield();
    }
    printf("%d passed, %d failed\n", !failed, failed);
    return failed;
}
