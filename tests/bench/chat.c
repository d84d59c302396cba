/* chat.c: the scenarios in which clients talk: fanout, rooms, echo. Every message carries
 * who sent it, its number and the time. Each receiver must hear every sender of its room
 * completely and in order: whatever is measured, that is checked. */
#include "client.h"
#include "load.h"
#include "stats.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTENT = 64,      /* bytes of a message's content */
    PLAIN_FRAME = 146, /* so long is its JSON on the way back, about */
    STALL_S = 30,      /* without a delivery, what has not come is lost */
};

static const char MARK[] =
    "say:"; /* then sender and number, 8 digits each, and 16: time */

static struct {
    struct client *clients;
    int count, stride; /* every stride-th client of a room talks */
    uint32_t *said;    /* by sender */
    uint32_t *heard;   /* by client, by sender of its room */
    uint32_t *owed;    /* by room: deliveries on their way */
    uint64_t in_flight, messages, deliveries, goal;
    bool talking, closed, overloaded;
    uint64_t progress_ns, read_ns;
    size_t mark_at; /* where the mark was in the last message */
    struct histogram latency;
} chat;

static int room_of(int client)
{
    return client / options.members;
}

/* The client that is the s-th sender of a room. */
static int sender_at(int room, int s)
{
    return room * options.members + s * chat.stride;
}

static uint32_t *said_by(int room, int s)
{
    return &chat.said[room * options.senders + s];
}

static void put_hex(char *at, int digits, uint64_t value)
{
    for (int i = digits - 1; i >= 0; i--, value >>= 4)
        at[i] = "0123456789abcdef"[value & 15];
}

static uint64_t take_hex(const char *at, int digits)
{
    uint64_t value = 0;
    for (int i = 0; i < digits; i++)
        value = value << 4 | (uint64_t)(at[i] <= '9' ? at[i] - '0' : at[i] - 'a' + 10);
    return value;
}

static void say(int room, int s)
{
    static const char head[] = "{\"type\":\"say\",\"to_uid\":\"all\",\"content\":\"";
    static const char padding[] =
        " Nos vemos a las ocho en la esquina, trae las llaves de "
        "la casa y el mate; si llueve, en el bar de siempre, el "
        "de la plaza.";
    char text[256];
    size_t len = 0, content = options.dialect == PLAIN ? PLAIN_FRAME : CONTENT;
    if (options.dialect == CHARLUA)
        len = (size_t)snprintf(text, sizeof text, "%s", head);
    char *at = text + len;
    memcpy(at, MARK, 4);
    put_hex(at + 4, 8, (uint64_t)sender_at(room, s));
    put_hex(at + 12, 8, ++*said_by(room, s));
    put_hex(at + 20, 16, clock_ns());
    memcpy(at + 36, padding, content - 36);
    len += content;
    if (options.dialect == CHARLUA) {
        memcpy(text + len, "\"}", 2);
        len += 2;
    }
    chat.messages++;
    chat.in_flight += (uint64_t)options.members;
    chat.owed[room] += (uint32_t)options.members;
    if (!client_send(&chat.clients[sender_at(room, s)], text, len))
        stop("client %d cannot send", sender_at(room, s));
}

static bool is_more(void)
{
    return chat.talking && (!chat.goal || chat.messages < chat.goal);
}

/* A closed loop goes on when the sender hears itself, or, in lockstep, when everybody has
 * heard. */
static void go_on(const struct client *c, int room, int s)
{
    if (!chat.closed || !is_more())
        return;
    if (options.lockstep && chat.owed[room] == 0)
        say(room, (s + 1) % options.senders);
    else if (!options.lockstep && c->id == sender_at(room, s))
        say(room, s);
}

static const char *find_mark(const char *text, size_t len)
{
    size_t at = chat.mark_at;
    if (len < CONTENT)
        return NULL;
    if (at + CONTENT <= len && memcmp(text + at, MARK, 4) == 0)
        return text + at;
    const char *mark = memmem(text, len - 36, MARK, 4);
    if (mark)
        chat.mark_at = (size_t)(mark - text);
    return mark;
}

static void on_text(struct client *c, const char *text, size_t len)
{
    const char *mark = find_mark(text, len);
    if (!mark)
        return; /* somebody logs in */
    int sender = (int)take_hex(mark + 4, 8), room = room_of(c->id);
    uint32_t number = (uint32_t)take_hex(mark + 12, 8);
    int s = sender % options.members / chat.stride;
    if (sender >= chat.count || room_of(sender) != room || sender_at(room, s) != sender)
        stop("client %d hears client %d, who does not talk to it", c->id, sender);
    uint32_t *heard = &chat.heard[c->id * options.senders + s];
    if (number != *heard + 1)
        stop("client %d hears message %u of client %d after %u", c->id, number, sender,
             *heard);
    *heard = number;
    histogram_add(&chat.latency, clock_ns() - take_hex(mark + 20, 16));
    chat.deliveries++;
    chat.in_flight--;
    chat.owed[room]--;
    go_on(c, room, s);
}

static void turn(int64_t ns)
{
    static uint64_t seen;
    uint64_t now = clock_ns();
    clients_turn(ns);
    if (seen != chat.deliveries || chat.in_flight == 0)
        chat.progress_ns = now;
    seen = chat.deliveries;
    if (now - chat.progress_ns > STALL_S * 1000000000ull)
        stop("%llu deliveries are lost", (unsigned long long)chat.in_flight);
}

/* Everybody who may, begins. */
static void begin_closed(void)
{
    for (int room = 0; room < options.rooms; room++)
        for (int s = 0; s < (options.lockstep ? 1 : options.senders); s++)
            say(room, s);
}

/* Talks for so many seconds or messages, at `rate` a second or, if that is 0, in a closed
 * loop, and then until all has been heard. A server that is far behind is
 * overloaded: more would tell no more. */
static void talk(double seconds, uint64_t messages, double rate)
{
    uint64_t began = clock_ns(), said = 0;
    uint64_t end = began + (uint64_t)(seconds * 1e9);
    uint64_t behind = (uint64_t)options.members * (uint64_t)(rate > 200 ? rate / 4 : 50);
    int senders = options.rooms * options.senders;
    chat.messages = chat.deliveries = 0;
    memset(&chat.latency, 0, sizeof chat.latency);
    chat.goal = messages;
    chat.closed = rate <= 0;
    chat.talking = true;
    chat.overloaded = false;
    chat.progress_ns = began;
    if (chat.closed)
        begin_closed();
    for (uint64_t now = began; messages ? is_more() : now < end; now = clock_ns()) {
        int64_t wait = (int64_t)(messages ? 1000000000 : end - now);
        if (!chat.closed) {
            uint64_t due = (uint64_t)((double)(now - began) * 1e-9 * rate);
            chat.overloaded |= chat.in_flight > behind;
            for (; said <= due && is_more() && !chat.overloaded; said++)
                say((int)(said % (uint64_t)senders) / options.senders,
                    (int)said % options.senders);
            if (chat.overloaded)
                break;
            wait = (int64_t)(began + (uint64_t)((double)said / rate * 1e9) - clock_ns());
        }
        turn(wait > 0 ? wait : 0);
    }
    chat.talking = false;
    while (chat.in_flight > 0)
        turn(1000000000);
}

static void check(void)
{
    for (int i = 0; i < chat.count; i++)
        for (int s = 0; s < options.senders; s++)
            if (chat.heard[i * options.senders + s] != *said_by(room_of(i), s))
                stop("client %d heard %u of %u", i, chat.heard[i * options.senders + s],
                     *said_by(room_of(i), s));
}

static void measure(const char *loop)
{
    double rate = atof(loop); /* "closed": 0 */
    talk(options.warmup, options.warm_messages, rate);
    uint64_t cpu = usage_cpu_ns(options.pids, options.pid_count);
    uint64_t own = usage_own_cpu_ns(), began = clock_ns();
    talk(options.seconds, options.messages, rate);
    double seconds = (double)(clock_ns() - began) * 1e-9;
    own = usage_own_cpu_ns() - own;
    cpu = usage_cpu_ns(options.pids, options.pid_count) - cpu;
    turn(20000000); /* what comes now is doubled */
    check();
    printf("{\"scenario\":\"%s\",\"loop\":\"%s\",\"rooms\":%d,\"members\":%d,"
           "\"senders\":%d,\"messages\":%llu,\"deliveries\":%llu,\"seconds\":%.3f,"
           "\"p50_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f,\"cpu_us\":%.0f,"
           "\"cpu_us_per_delivery\":%.4f,\"own_cpu_us\":%.0f,\"rss_kb\":%llu,"
           "\"overloaded\":%s}\n",
           options.scenario, loop, options.rooms, options.members, options.senders,
           (unsigned long long)chat.messages, (unsigned long long)chat.deliveries,
           seconds, histogram_at(&chat.latency, 0.5), histogram_at(&chat.latency, 0.99),
           histogram_at(&chat.latency, 0.999), (double)cpu * 1e-3,
           (double)cpu * 1e-3 / (double)chat.deliveries, (double)own * 1e-3,
           (unsigned long long)usage_rss(options.pids, options.pid_count) / 1024,
           chat.overloaded ? "true" : "false");
    fflush(stdout);
}

void chat_run(void)
{
    char loops[256];
    chat.count = options.rooms * options.members;
    chat.stride = options.members / options.senders;
    size_t senders = (size_t)options.senders;
    chat.said = calloc((size_t)options.rooms * senders, sizeof *chat.said);
    chat.heard = calloc((size_t)chat.count * senders, sizeof *chat.heard);
    chat.owed = calloc((size_t)options.rooms, sizeof *chat.owed);
    if (!chat.said || !chat.heard || !chat.owed)
        stop("out of memory");
    chat.clients = crowd_join(on_text);
    snprintf(loops, sizeof loops, "%s", options.loops);
    for (char *loop = strtok(loops, ","); loop; loop = strtok(NULL, ","))
        measure(loop);
    crowd_leave(chat.clients);
    free(chat.said);
    free(chat.heard);
    free(chat.owed);
}
