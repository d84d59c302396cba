/* crowd.c: all clients of a scenario, from the first connection until everybody is in a
 * room. */
#include "client.h"
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    int joining, joined;
    void (*on_text)(struct client *, const char *, size_t);
} crowd;

static void set_joined(struct client *c)
{
    c->state = JOINED;
    crowd.joining--;
    crowd.joined++;
}

static void on_open(struct client *c)
{
    char text[128];
    if (!options.login || options.dialect == PLAIN) {
        set_joined(c);
        return;
    }
    int len = snprintf(text, sizeof text,
                       "{\"type\":\"login\",\"name\":\"n%d\",\"room\":\"r%d\"%s}", c->id,
                       c->id / options.members, options.quiet ? ",\"quiet\":true" : "");
    if (!client_send(c, text, (size_t)len))
        stop("client %d cannot log in", c->id);
}

/* The first login that one hears is its own. */
static void on_text(struct client *c, const char *text, size_t len)
{
    static const char LOGIN[] = "{\"type\":\"login\"", ERROR[] = "{\"type\":\"error\"";
    if (c->state == OPEN && len > sizeof LOGIN && !memcmp(text, LOGIN, sizeof LOGIN - 1))
        set_joined(c);
    else if (len > sizeof ERROR && !memcmp(text, ERROR, sizeof ERROR - 1))
        stop("client %d hears %.*s", c->id, (int)len, text);
    else if (c->state == JOINED)
        crowd.on_text(c, text, len);
}

static void on_end(struct client *c)
{
    stop("client %d lost its connection", c->id);
}

struct client *crowd_join(void (*handler)(struct client *, const char *, size_t))
{
    int count = options.rooms * options.members;
    struct client *clients = calloc((size_t)count, sizeof *clients);
    if (!clients)
        stop("out of memory");
    crowd.joined = crowd.joining = 0;
    crowd.on_text = handler;
    clients_init((struct handlers){on_open, on_text, on_end});
    for (int next = 0; crowd.joined < count;) {
        for (; next < count && crowd.joining < options.window; next++, crowd.joining++) {
            clients[next].id = next;
            client_dial(&clients[next]);
        }
        clients_turn(100000000);
    }
    return clients;
}

void crowd_leave(struct client *clients)
{
    for (int i = 0; i < options.rooms * options.members; i++)
        client_reset(&clients[i]);
    free(clients);
}
