/* embed_ops: an operations tool with a WebSocket server inside. Usage: embed_ops
 * [ADDR:PORT [SCRIPT]] What you type is its own work: a line is an alert for everyone in
 * the room "ops", "stats" prints counters, "reload" loads the rules again, the end of
 * input stops everything. The server runs on a second thread. */
#include <charlua.h>

#include <lua.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1000 };

struct tool {
    struct charlua *server;
    sem_t started;     /* posted when it listens, and when it has ended */
    int result;        /* of charlua_run, once it has ended */
    atomic_bool ready; /* it listens */
    atomic_uint asked; /* how often scripts asked for the load */
};

/* chat.native.load_average() -> three numbers. Runs on the server's thread; upvalue 1 is
 * what was registered with it. */
static int load_average(lua_State *L)
{
    struct tool *tool = lua_touserdata(L, lua_upvalueindex(1));
    double load[3] = {0};
    atomic_fetch_add(&tool->asked, 1);
    (void)getloadavg(load, 3); /* where the system does not tell, it is 0 */
    for (int i = 0; i < 3; i++)
        lua_pushnumber(L, load[i]);
    return 3;
}

static void on_ready(void *context)
{
    struct tool *tool = context;
    atomic_store(&tool->ready, true);
    sem_post(&tool->started);
}

static void *serve(void *context)
{
    struct tool *tool = context;
    tool->result = charlua_run(tool->server); /* blocks until charlua_stop */
    sem_post(&tool->started);
    return NULL;
}

/* Writes `text` as a JSON string without its quotes; `out` has six bytes for each of its
 * characters. */
static void escape(const char *text, char *out)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            out += sprintf(out, "\\%c", c);
        else if (c < 0x20)
            out += sprintf(out, "\\u%04x", c);
        else
            *out++ = (char)c;
    }
    *out = 0;
}

static void post_alert(struct tool *tool, const char *line)
{
    char text[LINE_MAX_BYTES * 6 + 1], json[sizeof text + 64];
    escape(line, text); /* a cut line may end within a character: no UTF-8 then */
    snprintf(json, sizeof json, "{\"type\":\"alert\",\"text\":\"%s\"}", text);
    if (charlua_post(tool->server, "ops", json) < 0)
        printf("not posted: %s\n", charlua_error(tool->server));
    else
        puts("posted");
}

static void print_stats(struct tool *tool)
{
    struct charlua_stats stats;
    charlua_get_stats(tool->server, &stats);
    printf("connections=%llu messages_in=%llu messages_out=%llu handler_errors=%llu "
           "load_asked=%u\n",
           (unsigned long long)stats.connections, (unsigned long long)stats.messages_in,
           (unsigned long long)stats.messages_out,
           (unsigned long long)stats.handler_errors, atomic_load(&tool->asked));
    size_t count;
    const struct charlua_option *options = charlua_options(&count);
    for (size_t i = 0; i < count; i++) {
        uint64_t times = charlua_limit_reached(tool->server, options[i].name);
        if (times)
            printf("limit --%s reached=%llu\n", options[i].name,
                   (unsigned long long)times);
    }
}

/* The tool's own work, on its own thread. */
static void work(struct tool *tool)
{
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strcmp(line, "stats") == 0)
            print_stats(tool);
        else if (strcmp(line, "reload") == 0)
            charlua_reload(tool->server);
        else if (*line)
            post_alert(tool, line);
    }
}

static int start(struct tool *tool, const char *listen, const char *script,
                 pthread_t *thread)
{
    tool->server = charlua_new();
    if (!tool->server || sem_init(&tool->started, 0, 0) < 0)
        return -1;
    charlua_on_ready(tool->server, on_ready, tool);
    if (charlua_set(tool->server, "listen", listen) < 0 ||
        charlua_set(tool->server, "script", script) < 0 ||
        charlua_register(tool->server, "load_average", load_average, tool) < 0)
        return -1;
    return pthread_create(thread, NULL, serve, tool) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct tool tool = {0};
    pthread_t thread;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (start(&tool, argc > 1 ? argv[1] : "127.0.0.1:0",
              argc > 2 ? argv[2] : "examples/ops.lua", &thread) < 0) {
        fprintf(stderr, "embed_ops: %s\n",
                tool.server ? charlua_error(tool.server) : "out of memory");
        charlua_free(tool.server);
        return EXIT_FAILURE;
    }
    sem_wait(&tool.started);
    if (atomic_load(&tool.ready)) {
        printf("port %d\n", charlua_port(tool.server, 0));
        work(&tool);
        charlua_stop(tool.server);
    }
    pthread_join(thread, NULL);
    if (tool.result < 0)
        fprintf(stderr, "embed_ops: %s\n", charlua_error(tool.server));
    else
        print_stats(&tool);
    charlua_free(tool.server);
    return tool.result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
