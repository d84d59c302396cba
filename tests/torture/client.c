/* client: one of the crowd, from its connection to its end: says what its kind says, and
 * checks all that a healthy one hears. */
#include "torture.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static void fault(const struct client *c, const char *format, ...)
{
    va_list args;
    if (t.faults++ >= 20)
        return;
    fprintf(stderr, "torture: client %d: ", (int)(c - t.clients));
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* --- what they say ------------------------------------------------------- */

/* With permessage-deflate every seventh of the healthy has a small window; the deaf and
 * the dying offer it or not. */
static const char *upgrade_of(const struct client *c)
{
    if (!t.deflate || (c->kind != HEALTHY && random_below(2)))
        return UPGRADE;
    return (c - t.clients) % 7 == 0 ? UPGRADE_DEFLATE_SMALL : UPGRADE_DEFLATE;
}

static bool put_text(struct client *c, const char *text)
{
    uint8_t frame[GARBAGE_MAX];
    size_t len = strlen(text);
    len = t.deflate && random_below(2) ? frame_write_packed(frame, text, len)
                                       : frame_write(frame, 0x81, text, len);
    return wire_put(&c->wire, frame, len);
}

static size_t write_login(const struct client *c, char *text, size_t size)
{
    int i = (int)(c - t.clients);
    return (size_t)snprintf(text, size,
                            "{\"type\":\"login\",\"name\":\"n%d\",\"room\":\"r%d\"}", i,
                            i / ROOM);
}

/* The content of the `n`th message of the `from`th in a room. For permessage-deflate
 * there is more of it: most of them are long enough to be compressed, some are too long
 * for a small window. */
static void write_content(char text[TEXT_MAX], int room, int from, unsigned n)
{
    static const char words[16][10] = {
        " hola", " buenas", " tal",   " vez",     " otra",  " aqui", " charla", " ruido",
        " mar",  " luz",    " nunca", " siempre", " calle", " tren", " lluvia", " noche"};
    uint32_t seed = (uint32_t)room * 2654435761u + (uint32_t)from * 40503u + n * 97u;
    size_t len = (size_t)snprintf(text, TEXT_MAX, "%d.%d.%u", room, from, n);
    if (!t.deflate)
        return;
    seed ^= seed >> 15;
    for (size_t end = seed % 64 == 0 ? 4000 : seed % 1200; len < end;) {
        seed = seed * 1664525u + 1013904223u;
        const char *word = words[seed >> 28];
        strcpy(text + len, word);
        len += strlen(word);
    }
}

void client_say(struct client *c)
{
    char content[TEXT_MAX], text[TEXT_MAX + 64];
    int i = (int)(c - t.clients);
    write_content(content, i / ROOM, i % ROOM, ++c->said);
    snprintf(text, sizeof text,
             "{\"type\":\"say\",\"to_uid\":\"all\",\"content\":\"%s\"}", content);
    c->saying = true;
    t.saying++;
    t.says++;
    if (!put_text(c, text))
        fault(c, "could not say %u", c->said);
}

void client_leave(struct client *c)
{
    uint8_t bye[16];
    c->state = LEAVING;
    (void)wire_put(&c->wire, bye, frame_write(bye, 0x88, "\x03\xe8", 2));
}

/* --- from the connection to the end -------------------------------------- */

static void watch(struct client *c, uint32_t what)
{
    struct epoll_event event = {.events = what, .data.ptr = c};
    epoll_ctl(t.epoll, EPOLL_CTL_MOD, c->wire.fd, &event);
}

void client_dial(struct client *c)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    if (!wire_dial(&c->wire, t.server.port, (uint32_t)(c - t.clients),
                   c->kind == DEAF ? 4096 : 0))
        stop("cannot connect");
    if (epoll_ctl(t.epoll, EPOLL_CTL_ADD, c->wire.fd, &event) < 0)
        stop("epoll_ctl failed");
    c->state = AWAY;
    t.joining++;
}

static void set_joined(struct client *c)
{
    c->state = JOINED;
    t.joining--;
    t.joined++;
    t.progress = now();
}

void client_hang_up(struct client *c, bool abruptly)
{
    if (c->wire.fd < 0)
        return;
    wire_close(&c->wire, abruptly);
    c->rest_len = 0;
    if (c->state == JOINED || c->state == LEAVING)
        t.joined--;
    else if (c->state != GONE)
        t.joining--;
    c->state = GONE;
}

void client_die(struct client *c)
{
    static const uint8_t half[] = {0x81, 0xfe, 0x01};
    if (random_below(2)) {
        if (random_below(2))
            (void)wire_put(&c->wire, half, sizeof half);
        else
            (void)wire_put_below(&c->wire, half, sizeof half);
    }
    client_hang_up(c, random_below(2));
    t.deaths++;
}

/* The way to the program is open: says what its kind says first. */
static void on_open(struct client *c)
{
    uint8_t bytes[GARBAGE_MAX];
    char text[128];
    const char *upgrade = upgrade_of(c);
    size_t len = strlen(upgrade);
    memcpy(bytes, upgrade, len);
    watch(c, c->kind == DEAF ? EPOLLRDHUP : EPOLLIN);
    switch (c->kind) {
    case HEALTHY:
        c->state = UPGRADING;
        if (!wire_put(&c->wire, bytes, len))
            fault(c, "was not let in");
        return;
    case GARBAGE:
        if (!c->wire.ssl || !garbage_spoil_tls(&c->wire))
            (void)wire_put(&c->wire, bytes, garbage_write(bytes, t.deflate));
        wire_shut(&c->wire);
        break;
    case DYING:
    case DEAF:
        len += frame_write(bytes + len, 0x81, text, write_login(c, text, sizeof text));
        const char *hello = "{\"type\":\"say\",\"to_uid\":\"all\",\"content\":\"x\"}";
        len += frame_write(bytes + len, 0x81, hello, strlen(hello));
        (void)wire_put(&c->wire, bytes, len);
        break;
    }
    set_joined(c);
}

static void shake_hands(struct client *c)
{
    int n = wire_shake_hands(&c->wire);
    if (n == 1) {
        on_open(c);
    } else if (n != WIRE_AGAIN) {
        fault(c, "could not shake hands");
        client_hang_up(c, false);
    }
}

static void on_connected(struct client *c)
{
    uint8_t bytes[GARBAGE_MAX];
    if (!t.tls) {
        on_open(c);
        return;
    }
    watch(c, EPOLLIN);
    if (c->kind == GARBAGE && random_below(2)) {
        (void)wire_put_below(&c->wire, bytes, garbage_write_instead_of_tls(bytes));
        wire_shut(&c->wire);
        set_joined(c);
        return;
    }
    if (!wire_begin_tls(&c->wire, random_below(4) == 0))
        stop("out of memory");
    c->state = SHAKING_HANDS;
    shake_hands(c);
}

/* --- what the healthy hear ----------------------------------------------- */

static void on_say(struct client *c, const char *content)
{
    int i = (int)(c - t.clients);
    int room, from;
    unsigned n;
    char whole[TEXT_MAX];
    if (sscanf(content, "%d.%d.%u", &room, &from, &n) != 3)
        return; /* one of the dying or the deaf */
    if (room != i / ROOM || from < 0 || from >= ROOM) {
        fault(c, "hears room %d from %d", room, from);
        return;
    }
    write_content(whole, room, from, n);
    size_t len = strlen(whole);
    if (strncmp(content, whole, len) != 0 || content[len] != '"')
        fault(c, "hears %.40s... instead of %u of %d", content, n, from);
    if (n != c->heard[from] + 1)
        fault(c, "hears %u of %d after %u", n, from, c->heard[from]);
    c->heard[from] = n;
    t.deliveries++;
    t.progress = now();
    if (from == i % ROOM && c->saying && n == c->said) {
        c->saying = false;
        t.saying--;
    }
}

static void on_text(struct client *c, const char *text)
{
    static const char content[] = "\"content\":\"";
    if (strncmp(text, "{\"type\":\"say\"", 13) == 0) {
        const char *at = strstr(text, content);
        on_say(c, at ? at + strlen(content) : "");
    } else if (c->state == LOGGING_IN && strncmp(text, "{\"type\":\"login\"", 15) == 0) {
        set_joined(c);
    } else if (strstr(text, "\"error\"")) {
        fault(c, "hears %.100s", text);
    }
}

static void on_packed(struct client *c, const uint8_t *payload, size_t len)
{
    static char text[FRAME_MAX + 1];
    ssize_t n = frame_unpack(payload, len, text);
    if (n < 0) {
        fault(c, "hears what does not inflate");
        return;
    }
    if ((c - t.clients) % 7 == 0 && n > SMALL_WINDOW)
        fault(c, "has to inflate %d bytes in a small window", (int)n);
    text[n] = 0;
    on_text(c, text);
}

/* Returns the bytes of the frame at `at`, 0 if it is not all there. */
static size_t on_frame(struct client *c, uint8_t *at, size_t len)
{
    static char text[FRAME_MAX + 1];
    uint8_t pong[256];
    size_t head = 2, payload = len >= 2 ? at[1] : 0;
    if (len < 2 || (payload == 126 && len < 4))
        return 0;
    if (payload == 126) {
        payload = (size_t)at[2] << 8 | at[3];
        head = 4;
    } else if (payload > 126) {
        stop("a frame that no rule sends");
    }
    if (len < head + payload)
        return 0;
    memcpy(text, at + head, payload);
    text[payload] = 0;
    if (at[0] == 0x81)
        on_text(c, text);
    else if (at[0] == 0xc1 && t.deflate)
        on_packed(c, at + head, payload);
    else if (at[0] == 0x89)
        (void)wire_put(&c->wire, pong, frame_write(pong, 0x8a, text, payload));
    else if (at[0] != 0x88 || c->state != LEAVING)
        fault(c, "hears opcode %d, code %d", at[0],
              payload >= 2 ? (uint8_t)text[0] << 8 | (uint8_t)text[1] : 0);
    return head + payload;
}

/* Returns the length of the answer to the upgrade, 0 if it is not all there. */
static size_t on_answer(struct client *c, uint8_t *at, size_t len)
{
    static const char agreed[] = "\r\nSec-WebSocket-Extensions: permessage-deflate; "
                                 "server_no_context_takeover; client_no_context_takeover";
    uint8_t *end = memmem(at, len, "\r\n\r\n", 4);
    char login[128];
    if (!end)
        return 0;
    size_t used = (size_t)(end - at) + 4;
    if (strncmp((char *)at, "HTTP/1.1 101 ", 13) != 0)
        fault(c, "is refused: %.40s", at);
    else if (t.deflate != !!memmem(at, used, agreed, strlen(agreed)))
        fault(c, "did not agree upon permessage-deflate");
    write_login(c, login, sizeof login);
    c->state = LOGGING_IN;
    (void)put_text(c, login);
    return used;
}

static size_t on_bytes(struct client *c, uint8_t *at, size_t len)
{
    size_t used = 0, n;
    if (c->state == UPGRADING && (used = on_answer(c, at, len)) == 0)
        return 0;
    while ((n = on_frame(c, at + used, len - used)) > 0)
        used += n;
    return used;
}

/* What came, and what of it is no whole frame yet. False: the connection has ended. */
static bool read_client(struct client *c)
{
    static uint8_t bytes[2 * FRAME_MAX];
    if (c->kind != HEALTHY) {
        ssize_t n = wire_take_below(&c->wire, bytes, sizeof bytes);
        return n > 0 || n == WIRE_AGAIN;
    }
    if (c->rest_len)
        memcpy(bytes, c->rest, c->rest_len);
    ssize_t n = wire_take(&c->wire, bytes + c->rest_len, sizeof bytes - c->rest_len);
    if (n <= 0)
        return n == WIRE_AGAIN;
    size_t len = c->rest_len + (size_t)n, used = on_bytes(c, bytes, len);
    c->rest_len = len - used;
    free(c->rest);
    c->rest = c->rest_len ? malloc(c->rest_len) : NULL;
    if (c->rest)
        memcpy(c->rest, bytes + used, c->rest_len);
    return true;
}

void client_on_event(struct client *c, uint32_t events)
{
    bool leaving = c->state == LEAVING;
    if (c->wire.fd < 0)
        return;
    if (c->state == AWAY && (events & EPOLLOUT) && !(events & (EPOLLERR | EPOLLHUP))) {
        on_connected(c);
        return;
    }
    if (c->state == SHAKING_HANDS && !(events & EPOLLERR)) {
        shake_hands(c);
        return;
    }
    if (c->kind != DEAF && !(events & EPOLLERR) && read_client(c))
        return;
    if (c->kind == HEALTHY && !leaving)
        fault(c, "lost its connection");
    client_hang_up(c, c->kind == DEAF);
}
