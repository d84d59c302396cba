/* torture: starts a server and throws thousands of clients at it, most of them healthy,
 * the rest dying, deaf or talking garbage. The healthy chat in rooms with numbered
 * messages: each must hear every message of every other one in its room once and in
 * order. Afterwards all leave, and the server must have as many descriptors as before.
 * One thread, one epoll. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ROOM = 50,         /* clients a room: 35 healthy, 5 of each other kind */
    JOINING_MAX = 200, /* on their way in at once */
    SAYING_MAX = 200,  /* that wait for their own words at once */
    CHURN = 4,         /* so many says to one that dies or talks garbage */
    STALL_S = 90,      /* without any progress, this is over */
    FRAME_MAX = 64 * 1024,
};

enum kind { DYING, DEAF, GARBAGE, HEALTHY };
enum state { AWAY, UPGRADING, LOGGING_IN, JOINED, LEAVING, GONE };

struct client {
    int fd;
    enum kind kind;
    enum state state;
    bool saying; /* has not heard its own words yet */
    uint32_t said;
    uint32_t heard[ROOM]; /* of each in the room, how many */
    uint8_t *rest;        /* the beginning of a frame */
    size_t rest_len;
};

static struct {
    int count, waves, seconds, rate, messages; /* the order */
    FILE *csv;
    pid_t server;
    int port, log, epoll;
    struct client *clients;
    int joined, joining, saying, healthy;
    uint64_t says, deliveries, deaths, garbage, faults;
    uint64_t random;
    double began, progress; /* seconds */
} t = {.count = 500, .waves = 1, .messages = 10, .random = 1};

static const char UPGRADE[] =
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static uint32_t random_below(uint32_t n)
{
    t.random = t.random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(t.random >> 33) % n;
}

static void stop(const char *why)
{
    fprintf(stderr, "torture: %s (joined %d of %d, saying %d, says %llu, heard %llu)\n",
            why, t.joined, t.count, t.saying, (unsigned long long)t.says,
            (unsigned long long)t.deliveries);
    if (t.server > 0)
        kill(t.server, SIGKILL);
    exit(1);
}

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

/* --- the server ---------------------------------------------------------- */

/* Starts it and waits for the line that says that it is ready. */
static void start_server(char **argv)
{
    int ends[2];
    char text[8192];
    size_t len = 0;
    if (pipe2(ends, O_CLOEXEC) < 0 || (t.server = fork()) < 0)
        stop("cannot start the server");
    if (t.server == 0) {
        dup2(ends[1], STDERR_FILENO);
        execv(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    t.log = ends[0];
    for (;;) {
        ssize_t n = read(t.log, text + len, sizeof text - 1 - len);
        if (n <= 0)
            stop("the server did not start");
        len += (size_t)n;
        text[len] = 0;
        const char *port = strstr(text, "addr=127.0.0.1:");
        if (port && strstr(port, " ready")) {
            t.port = atoi(port + 15);
            fcntl(t.log, F_SETFL, O_NONBLOCK);
            return;
        }
    }
}

/* What its log says beyond the usual lines goes to our standard error. */
static void read_log(void)
{
    char text[4096];
    ssize_t n;
    while ((n = read(t.log, text, sizeof text)) > 0)
        fwrite(text, 1, (size_t)n, stderr);
    if (n == 0)
        stop("the server has ended");
}

static int count_descriptors(void)
{
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", t.server);
    DIR *dir = opendir(path);
    if (!dir)
        stop("the server has gone");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static long rss_kb(void)
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", t.server);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}

/* --- bytes --------------------------------------------------------------- */

static size_t put_frame(uint8_t *at, uint8_t opcode, const char *payload, size_t len)
{
    uint32_t key = random_below(1U << 31);
    size_t n = 0;
    at[n++] = 0x80 | opcode;
    at[n++] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
        at[n++] = (uint8_t)(len >> 8);
        at[n++] = (uint8_t)len;
    }
    memcpy(at + n, &key, 4);
    for (size_t i = 0; i < len; i++)
        at[n + 4 + i] = (uint8_t)payload[i] ^ at[n + (i & 3)];
    return n + 4 + len;
}

/* Our messages are small and few: the kernel always has room for them. False: the peer
 * has gone. */
static bool put(struct client *c, const void *bytes, size_t len)
{
    return send(c->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool put_text(struct client *c, const char *text)
{
    uint8_t frame[512];
    return put(c, frame, put_frame(frame, 1, text, strlen(text)));
}

static size_t put_login(const struct client *c, char *text, size_t size)
{
    int i = (int)(c - t.clients);
    return (size_t)snprintf(text, size,
                            "{\"type\":\"login\",\"name\":\"n%d\",\"room\":\"r%d\"}", i,
                            i / ROOM);
}

/* What garbage says behind its upgrade, or without one. Returns the length. */
static size_t put_garbage(uint8_t at[1024])
{
    static const struct {
        const char *bytes;
        size_t len;
    } behind[] = {
        {"\x81\x01\x41", 3},             /* unmasked */
        {"\xc1\x80\0\0\0\0", 6},         /* a reserved bit */
        {"\x83\x80\0\0\0\0", 6},         /* a reserved opcode */
        {"\x81\x82\0\0\0\0\xc0\xaf", 8}, /* no UTF-8 */
        {"\x01\x81\0\0\0\0\xff", 7},     /* no UTF-8, unfinished */
        {"\x09\x80\0\0\0\0", 6},         /* a fragmented ping */
        {"\x80\x80\0\0\0\0", 6},         /* continues nothing */
        {"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
         14}, /* a length beyond all */
        {"\x82\xff\0\0\0\x7f\xff\xff\xff\xff\0\0\0\0",
         14},                                     /* a length beyond the limit */
        {"\x82\xfe\0\x01\0\0\0\0x", 9},           /* a length in too many bytes */
        {"\x88\x81\0\0\0\0x", 7},                 /* half a close code */
        {"\x88\x82\0\0\0\0\x03\xed", 8},          /* a close code nobody may send */
        {"\x81\x85\0\0\0\0{\"a\"", 9},            /* a message that never ends */
        {"\x81\x83\0\0\0\0{{{", 9},               /* no JSON */
        {"\x81\x84\0\0\0\0null", 10},             /* no object */
        {"\x81\x8c\0\0\0\0{\"type\":\"x\"}", 18}, /* no such message */
    };
    static const char *const instead[] = {
        "\r\n\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01",
    };
    enum {
        BEHIND = sizeof behind / sizeof *behind,
        INSTEAD = sizeof instead / sizeof *instead
    };
    uint32_t which = random_below(BEHIND + INSTEAD + 1);
    if (which < BEHIND) {
        memcpy(at, UPGRADE, sizeof UPGRADE - 1);
        memcpy(at + sizeof UPGRADE - 1, behind[which].bytes, behind[which].len);
        return sizeof UPGRADE - 1 + behind[which].len;
    }
    if (which < BEHIND + INSTEAD) {
        memcpy(at, instead[which - BEHIND], strlen(instead[which - BEHIND]));
        return strlen(instead[which - BEHIND]);
    }
    for (int i = 0; i < 1024; i++)
        at[i] = (uint8_t)random_below(256);
    return 1024;
}

/* --- clients ------------------------------------------------------------- */

/* Every client has an address of its own in 127/8, or nearly: ports do not run out. */
static void dial(struct client *c)
{
    uint32_t i = (uint32_t)(c - t.clients);
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f000001 + i % 65000)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)t.port),
                             .sin_addr.s_addr = htonl(0x7f000001)};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    int on = 1, little = 4096;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        stop("no socket: raise ulimit -n");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (c->kind == DEAF)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS))
        stop("cannot connect");
    if (epoll_ctl(t.epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
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

/* `abruptly`: with a reset, not an end. */
static void hang_up(struct client *c, bool abruptly)
{
    struct linger now_or_never = {.l_onoff = 1};
    if (c->fd < 0)
        return;
    if (abruptly)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now_or_never, sizeof now_or_never);
    close(c->fd);
    c->fd = -1;
    c->rest_len = 0;
    if (c->state == JOINED || c->state == LEAVING)
        t.joined--;
    else if (c->state != GONE)
        t.joining--;
    c->state = GONE;
}

/* The connection is there: says what its kind says first. */
static void on_connected(struct client *c)
{
    struct epoll_event event = {.events = c->kind == DEAF ? EPOLLRDHUP : EPOLLIN,
                                .data.ptr = c};
    uint8_t bytes[1024];
    char text[128];
    size_t len = sizeof UPGRADE - 1;
    memcpy(bytes, UPGRADE, len);
    epoll_ctl(t.epoll, EPOLL_CTL_MOD, c->fd, &event);
    switch (c->kind) {
    case HEALTHY:
        c->state = UPGRADING;
        if (!put(c, bytes, len))
            fault(c, "was not let in");
        return;
    case GARBAGE:
        (void)put(c, bytes, put_garbage(bytes));
        shutdown(c->fd, SHUT_WR);
        break;
    case DYING:
    case DEAF:
        len += put_frame(bytes + len, 1, text, put_login(c, text, sizeof text));
        const char *hello = "{\"type\":\"say\",\"to_uid\":\"all\",\"content\":\"x\"}";
        len += put_frame(bytes + len, 1, hello, strlen(hello));
        (void)put(c, bytes, len);
        break;
    }
    set_joined(c);
}

static void say(struct client *c)
{
    char text[128];
    int i = (int)(c - t.clients);
    snprintf(text, sizeof text,
             "{\"type\":\"say\",\"to_uid\":\"all\",\"content\":\"%d.%d.%u\"}", i / ROOM,
             i % ROOM, ++c->said);
    c->saying = true;
    t.saying++;
    t.says++;
    if (!put_text(c, text))
        fault(c, "could not say %u", c->said);
}

static void on_say(struct client *c, const char *content)
{
    int i = (int)(c - t.clients);
    int room, from;
    unsigned n;
    if (sscanf(content, "\"content\":\"%d.%d.%u\"", &room, &from, &n) != 3)
        return; /* one of the dying or the deaf */
    if (room != i / ROOM || from < 0 || from >= ROOM) {
        fault(c, "hears room %d from %d", room, from);
        return;
    }
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
    if (strncmp(text, "{\"type\":\"say\"", 13) == 0) {
        const char *content = strstr(text, "\"content\":");
        on_say(c, content ? content : "");
    } else if (c->state == LOGGING_IN && strncmp(text, "{\"type\":\"login\"", 15) == 0) {
        set_joined(c);
    } else if (strstr(text, "\"error\"")) {
        fault(c, "hears %.100s", text);
    }
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
    else if (at[0] == 0x89)
        (void)put(c, pong, put_frame(pong, 10, text, payload));
    else if (at[0] != 0x88 || c->state != LEAVING)
        fault(c, "hears opcode %d, code %d", at[0],
              payload >= 2 ? (uint8_t)text[0] << 8 | (uint8_t)text[1] : 0);
    return head + payload;
}

static size_t on_bytes(struct client *c, uint8_t *at, size_t len)
{
    size_t used = 0, n;
    if (c->state == UPGRADING) {
        uint8_t *end = memmem(at, len, "\r\n\r\n", 4);
        char login[128];
        if (!end)
            return 0;
        if (strncmp((char *)at, "HTTP/1.1 101 ", 13) != 0)
            fault(c, "is refused: %.40s", at);
        put_login(c, login, sizeof login);
        c->state = LOGGING_IN;
        (void)put_text(c, login);
        used = (size_t)(end + 4 - at);
    }
    while ((n = on_frame(c, at + used, len - used)) > 0)
        used += n;
    return used;
}

/* What came, and what of it is no whole frame yet. False: the connection has ended. */
static bool read_client(struct client *c)
{
    static uint8_t bytes[2 * FRAME_MAX];
    if (c->rest_len)
        memcpy(bytes, c->rest, c->rest_len);
    ssize_t n = recv(c->fd, bytes + c->rest_len, sizeof bytes - c->rest_len, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    if (c->kind != HEALTHY)
        return true;
    size_t len = c->rest_len + (size_t)n, used = on_bytes(c, bytes, len);
    c->rest_len = len - used;
    free(c->rest);
    c->rest = c->rest_len ? malloc(c->rest_len) : NULL;
    if (c->rest)
        memcpy(c->rest, bytes + used, c->rest_len);
    return true;
}

static void on_event(struct client *c, uint32_t events)
{
    bool leaving = c->state == LEAVING;
    if (c->fd < 0)
        return;
    if (c->state == AWAY && (events & EPOLLOUT) && !(events & (EPOLLERR | EPOLLHUP))) {
        on_connected(c);
        return;
    }
    if (c->kind != DEAF && !(events & EPOLLERR) && read_client(c))
        return;
    if (c->kind == HEALTHY && !leaving)
        fault(c, "lost its connection");
    hang_up(c, c->kind == DEAF);
}

/* --- the run ------------------------------------------------------------- */

static void turn(void)
{
    struct epoll_event events[512];
    int n = epoll_wait(t.epoll, events, 512, 20);
    for (int i = 0; i < n; i++)
        if (events[i].data.ptr)
            on_event(events[i].data.ptr, events[i].events);
        else
            read_log();
    if (now() - t.progress > STALL_S)
        stop("nothing moves any more");
}

/* One that dies, or comes back to talk garbage. */
static void churn(void)
{
    struct client *c =
        &t.clients[random_below((uint32_t)t.count / 10) * 10 + random_below(3)];
    static const uint8_t half[] = {0x81, 0xfe, 0x01};
    if (c->kind == DYING && c->state == JOINED) {
        if (random_below(2))
            (void)put(c, half, sizeof half);
        hang_up(c, random_below(2));
        t.deaths++;
    }
    if (c->state != GONE)
        return;
    t.garbage += c->kind == GARBAGE;
    dial(c);
}

static void report(double *next, double every)
{
    double at = now() - t.began;
    if (!t.csv || at < *next)
        return;
    printf("%5.0f s  rss %6ld kB  joined %5d  says %7llu  heard %9llu  deaths %llu  "
           "garbage %llu\n",
           at, rss_kb(), t.joined, (unsigned long long)t.says,
           (unsigned long long)t.deliveries, (unsigned long long)t.deaths,
           (unsigned long long)t.garbage);
    fflush(stdout);
    fprintf(t.csv, "%.0f,%ld,%d,%llu,%llu\n", at, rss_kb(), t.joined,
            (unsigned long long)t.says, (unsigned long long)t.deliveries);
    fflush(t.csv);
    *next += every;
}

static void everybody_joins(void)
{
    for (int next = 0; next < t.count || t.joining > 0;) {
        while (next < t.count && t.joining < JOINING_MAX)
            dial(&t.clients[next++]);
        turn();
    }
}

/* In turns, each when its last words have come back; `rate` a second if that is given. */
static void everybody_talks(void)
{
    uint64_t goal = (uint64_t)t.messages * (uint64_t)t.healthy;
    double began = t.began = now(), next = 0;
    uint64_t first = t.says, churned = t.says;
    for (int at = 0, skipped = 0;
         t.seconds ? now() - began < t.seconds : t.says - first < goal;) {
        double due = t.rate ? (now() - began) * t.rate : 1e18;
        for (skipped = 0; t.saying < SAYING_MAX && skipped < t.count;
             at = (at + 1) % t.count) {
            struct client *c = &t.clients[at];
            skipped++;
            if ((double)(t.says - first) >= due || (!t.seconds && t.says - first >= goal))
                break;
            if (c->kind != HEALTHY || c->saying || c->state != JOINED)
                continue;
            say(c);
        }
        for (; churned + CHURN <= t.says; churned += CHURN)
            churn();
        turn();
        report(&next, 10);
    }
}

/* Every say was heard by all the healthy of its room. */
static bool is_all_heard(void)
{
    for (int i = 0; i < t.count; i++) {
        struct client *c = &t.clients[i], *room = &t.clients[i / ROOM * ROOM];
        for (int k = 0; c->kind == HEALTHY && k < ROOM && room + k < t.clients + t.count;
             k++)
            if (room[k].kind == HEALTHY && c->heard[k] != room[k].said)
                return false;
    }
    return true;
}

static void everybody_leaves(void)
{
    uint8_t bye[16];
    for (int i = 0; i < t.count; i++) {
        struct client *c = &t.clients[i];
        if (c->kind != HEALTHY) {
            hang_up(c, true);
        } else if (c->state == JOINED) {
            c->state = LEAVING;
            (void)put(c, bye, put_frame(bye, 8, "\x03\xe8", 2));
        }
    }
    t.progress = now();
    while (t.joined > 0)
        turn();
}

static void parse(int argc, char **argv, char ***server)
{
    int option;
    while ((option = getopt(argc, argv, "+c:w:m:s:r:o:")) > 0)
        switch (option) {
        case 'c':
            t.count = atoi(optarg) / ROOM * ROOM;
            break;
        case 'w':
            t.waves = atoi(optarg);
            break;
        case 'm':
            t.messages = atoi(optarg);
            break;
        case 's':
            t.seconds = atoi(optarg);
            break;
        case 'r':
            t.rate = atoi(optarg);
            break;
        case 'o':
            t.csv = fopen(optarg, "we");
            break;
        default:
            optind = argc;
        }
    *server = argv + optind;
    if (optind < argc && t.count > 0)
        return;
    fprintf(stderr, "usage: torture [-c CLIENTS] [-w WAVES] [-m MESSAGES | -s SECONDS] "
                    "[-r SAYS_A_SECOND] "
                    "[-o CSV] SERVER [ARGUMENT...]\n");
    exit(2);
}

/* All come, talk and leave; then the server has as many descriptors as before. */
static void wave(int descriptors)
{
    long rss_before = rss_kb();
    uint64_t says = t.says, heard = t.deliveries, deaths = t.deaths, garbage = t.garbage;
    t.began = t.progress = now();
    everybody_joins();
    long rss_joined = rss_kb();
    double joined_in = now() - t.began;
    everybody_talks();
    double talked = now() - t.began;
    while (!is_all_heard() && !t.faults)
        turn();
    long rss_talked = rss_kb();
    everybody_leaves();
    while (count_descriptors() != descriptors)
        turn();

    printf(
        "torture: %d clients, %d of them healthy: joined in %.1f s; in %.1f s said %llu, "
        "heard %llu, died %llu, talked garbage %llu\n",
        t.count, t.healthy, joined_in, talked, (unsigned long long)(t.says - says),
        (unsigned long long)(t.deliveries - heard),
        (unsigned long long)(t.deaths - deaths),
        (unsigned long long)(t.garbage - garbage));
    printf(
        "torture: rss kB: %ld before, %ld with all, %ld after the talk, %ld when all had "
        "left; descriptors: %d before, %d after\n",
        rss_before, rss_joined, rss_talked, rss_kb(), descriptors, count_descriptors());
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char **server;
    struct epoll_event log = {.events = EPOLLIN};
    int status = -1;
    parse(argc, argv, &server);
    t.epoll = epoll_create1(EPOLL_CLOEXEC);
    t.clients = calloc((size_t)t.count, sizeof *t.clients);
    if (!t.clients)
        stop("out of memory");
    for (int i = 0; i < t.count; i++) {
        t.clients[i] =
            (struct client){.fd = -1, .kind = i % 10 < 3 ? (enum kind)(i % 10) : HEALTHY};
        t.healthy += t.clients[i].kind == HEALTHY;
    }
    start_server(server);
    epoll_ctl(t.epoll, EPOLL_CTL_ADD, t.log, &log);
    int descriptors = count_descriptors();
    t.began = t.progress = now();
    if (t.csv)
        fprintf(t.csv, "seconds,rss_kb,joined,says,heard\n");

    for (int i = 0; i < t.waves; i++)
        wave(descriptors);
    fcntl(t.log, F_SETFL, 0);
    kill(t.server, SIGTERM);
    if (waitpid(t.server, &status, 0) < 0 || status != 0)
        stop("the server did not end in order");
    t.server = 0;
    if (t.faults)
        stop("a healthy client had to suffer");
    return 0;
}
