/* listen: parsing of listen specifications, bind, accept. A unix socket gets its group
 * and mode between bind and listen: until listen nobody can connect, so it was never open
 * to more, and the process's umask, which is all threads', stays as it is. */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

#define NO_GROUP ((gid_t)-1)

union sockaddr_any {
    struct sockaddr sa;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static void addr_from(const union sockaddr_any *from, struct addr *out)
{
    *out = (struct addr){.family = ADDR_UNIX};
    if (from->sa.sa_family == AF_INET) {
        out->family = ADDR_IPV4;
        memcpy(out->ip, &from->in4.sin_addr, 4);
        out->port = ntohs(from->in4.sin_port);
    } else if (from->sa.sa_family == AF_INET6) {
        out->family = ADDR_IPV6;
        memcpy(out->ip, &from->in6.sin6_addr, 16);
        out->port = ntohs(from->in6.sin6_port);
        addr_unmap(out); /* an inherited socket may be of both families */
    }
}

/* What a specification asks for. */
struct wanted {
    union sockaddr_any addr;
    socklen_t len;
    mode_t mode; /* of a unix socket's file; 0: as the umask has it */
    gid_t group; /* the same; NO_GROUP: as it comes */
};

static int complain(char *error, size_t size, const char *spec, const char *what)
{
    snprintf(error, size, "cannot listen on '%s': %s", spec, what);
    return -1;
}

static int parse_mode(const char *text, size_t len, mode_t *mode)
{
    *mode = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '7')
            return -1;
        *mode = *mode << 3 | (mode_t)(text[i] - '0');
    }
    return (len == 3 || (len == 4 && text[0] == '0')) && *mode ? 0 : -1;
}

/* A group by name or number. */
static int parse_group(const char *text, size_t len, gid_t *group)
{
    char name[64], *end;
    if (len == 0 || len >= sizeof name)
        return -1;
    memcpy(name, text, len);
    name[len] = 0;
    struct group entry, *found = NULL;
    char memory[16 * 1024];
    if (getgrnam_r(name, &entry, memory, sizeof memory, &found) == 0 && found) {
        *group = found->gr_gid;
        return 0;
    }
    unsigned long number = strtoul(name, &end, 10);
    *group = (gid_t)number;
    return *end || strspn(name, "0123456789") == 0 || number >= NO_GROUP ? -1 : 0;
}

/* "PATH,mode=0660,group=www-data"; NULL, or what is wrong. */
static const char *parse_unix(const char *text, struct wanted *out)
{
    size_t n = strcspn(text, ",");
    if (n == 0 || n >= sizeof out->addr.un.sun_path)
        return "a path of 1 to 107 bytes has to stand behind unix:";
    out->addr.un.sun_family = AF_UNIX;
    memcpy(out->addr.un.sun_path, text, n);
    out->len = sizeof out->addr.un;
    for (text += n; *text; text += n) {
        text++;
        n = strcspn(text, ",");
        if (strncmp(text, "mode=", 5) == 0) {
            if (parse_mode(text + 5, n - 5, &out->mode) < 0)
                return "a mode is three octal digits, perhaps behind a 0, like mode=0660";
        } else if (strncmp(text, "group=", 6) == 0) {
            if (parse_group(text + 6, n - 6, &out->group) < 0)
                return "there is no such group; say the name or number of one, like "
                       "group=www-data";
        } else {
            return "behind the path only ,mode=0660 and ,group=NAME may stand, and a "
                   "path "
                   "has no comma";
        }
    }
    return NULL;
}

static int parse_inet(const char *spec, union sockaddr_any *out, socklen_t *len)
{
    const char *colon = strrchr(spec, ':');
    char host[64], *end;
    if (!colon || !colon[1])
        return -1;
    long port = strtol(colon + 1, &end, 10);
    size_t n = (size_t)(colon - spec);
    if (*end || port < 0 || port > 65535 || n >= sizeof host ||
        strspn(colon + 1, "0123456789") == 0)
        return -1;
    memcpy(host, spec, n);
    host[n] = 0;
    if (inet_pton(AF_INET, host, &out->in4.sin_addr) == 1) {
        out->in4.sin_family = AF_INET;
        out->in4.sin_port = htons((uint16_t)port);
        *len = sizeof out->in4;
        return 0;
    }
    if (n < 4 || host[0] != '[' || host[n - 1] != ']')
        return -1;
    host[n - 1] = 0;
    if (inet_pton(AF_INET6, host + 1, &out->in6.sin6_addr) != 1)
        return -1;
    out->in6.sin6_family = AF_INET6;
    out->in6.sin6_port = htons((uint16_t)port);
    *len = sizeof out->in6;
    return 0;
}

/* What stands behind "tls:". */
static const char *without_tls(const char *spec)
{
    return strncmp(spec, "tls:", 4) == 0 ? spec + 4 : spec;
}

static int parse(const char *spec, struct wanted *out, char *error, size_t size)
{
    *out = (struct wanted){.group = NO_GROUP};
    const char *where = without_tls(spec);
    if (strncmp(where, "unix:", 5) == 0) {
        const char *fault = parse_unix(where + 5, out);
        return fault ? complain(error, size, spec, fault) : 0;
    }
    if (parse_inet(where, &out->addr, &out->len) == 0)
        return 0;
    snprintf(error, size,
             "cannot listen on '%s': say ADDR:PORT with a numeric address "
             "(127.0.0.1:7272, [::1]:7272, 0.0.0.0:80) or unix:PATH, with tls: "
             "before it for TLS",
             spec);
    return -1;
}

/* A socket file that nobody answers on is left over from a crash and may go. One whose
 * owner is merely busy (its backlog is full) stays. */
static void remove_stale(const union sockaddr_any *addr, socklen_t len)
{
    struct stat st;
    if (lstat(addr->un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, &addr->sa, len) < 0 && errno == ECONNREFUSED)
        unlink(addr->un.sun_path);
    close(fd);
}

/* Gives the socket's file its group and mode, before anybody can connect. Returns 0 or
 * -1. */
static int give_access(const struct wanted *w)
{
    const char *path = w->addr.un.sun_path;
    if (w->group != NO_GROUP && chown(path, (uid_t)-1, w->group) < 0)
        return -1;
    return w->mode ? chmod(path, w->mode) : 0;
}

/* Notes which file at `path` is ours. */
static void note_file(struct listener *l, const char *path)
{
    struct stat st;
    snprintf(l->path, sizeof l->path, "%.*s", (int)strcspn(path, ","), path);
    if (lstat(l->path, &st) == 0) {
        l->device = st.st_dev;
        l->inode = st.st_ino;
    } else {
        l->path[0] = 0;
    }
}

/* Whether the file at l->path is the one that we made: its number is not given away
 * while our socket is open. */
static bool has_own_file(const struct listener *l)
{
    struct stat st;
    return l->path[0] && lstat(l->path, &st) == 0 && st.st_dev == l->device &&
           st.st_ino == l->inode;
}

static void describe(struct listener *l, const char *spec)
{
    union sockaddr_any bound = {0};
    socklen_t len = sizeof bound;
    snprintf(l->where, sizeof l->where, "%s", spec);
    l->path[0] = 0;
    l->port = 0;
    l->tls = without_tls(spec) != spec;
    if (strncmp(without_tls(spec), "unix:", 5) == 0) {
        note_file(l, without_tls(spec) + 5);
    } else if (getsockname(l->fd, &bound.sa, &len) == 0 &&
               bound.sa.sa_family != AF_UNIX) {
        struct addr addr;
        char text[ADDR_TEXT_MAX];
        addr_from(&bound, &addr);
        l->port = addr.port;
        snprintf(l->where, sizeof l->where, "%s%s", l->tls ? "tls:" : "",
                 addr_text(&addr, text));
    }
}

/* A listening socket that the starter of the process opened (systemd's socket
 * activation). */
static int inherit(struct listener *l, const char *spec, char *error, size_t size)
{
    int listening = 0, fd = (int)strtol(without_tls(spec) + 3, NULL, 10);
    socklen_t len = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening) {
        snprintf(error, size, "cannot listen on %s: it is no listening socket", spec);
        return -1;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    l->fd = fd;
    describe(l, spec);
    return 0;
}

static bool is_inherited(const char *spec)
{
    const char *where = without_tls(spec);
    size_t digits = strncmp(where, "fd:", 3) == 0 ? strspn(where + 3, "0123456789") : 0;
    return digits > 0 && digits < 10 && !where[3 + digits]; /* it fits an int */
}

int listener_check(const char *spec, char *error, size_t size)
{
    struct wanted w;
    return is_inherited(spec) ? 0 : parse(spec, &w, error, size);
}

/* What to do about errno. */
static const char *advice(const struct wanted *w)
{
    struct stat st;
    bool local = w->addr.sa.sa_family == AF_UNIX;
    if (errno == EADDRINUSE)
        return local && lstat(w->addr.un.sun_path, &st) == 0 && !S_ISSOCK(st.st_mode)
                   ? "; that is a file and no socket: choose another path"
                   : "; stop what runs there or choose another with --listen";
    if (errno == EACCES && !local)
        return "; ports below 1024 need CAP_NET_BIND_SERVICE";
    if (errno == EPERM && local)
        return "; a user may give a socket only to groups that it is in";
    return "";
}

int listener_open(struct listener *l, const char *spec, char *error, size_t size)
{
    struct wanted w;
    if (is_inherited(spec))
        return inherit(l, spec, error, size);
    if (parse(spec, &w, error, size) < 0)
        return -1;
    bool local = w.addr.sa.sa_family == AF_UNIX, bound = false;
    int fd = socket(w.addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0)
        goto fail;
    if (local)
        remove_stale(&w.addr, w.len);
    else
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (w.addr.sa.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    bound = bind(fd, &w.addr.sa, w.len) == 0;
    if (!bound || (local && give_access(&w) < 0) || listen(fd, BACKLOG) < 0)
        goto fail;
    l->fd = fd;
    describe(l, spec);
    return 0;
fail:
    snprintf(error, size, "cannot listen on %s: %s", spec, strerror(errno));
    size_t used = strlen(error);
    snprintf(error + used, size - used, "%s", advice(&w));
    if (fd >= 0)
        close(fd);
    return -1;
}

void listener_close(struct listener *l)
{
    if (has_own_file(l))
        unlink(l->path);
    close(l->fd);
    l->fd = -1;
}

int listener_accept(const struct listener *l, struct addr *from)
{
    for (;;) {
        union sockaddr_any addr = {0};
        socklen_t len = sizeof addr;
        int fd = accept4(l->fd, &addr.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            int on = 1;
            addr_from(&addr, from);
            if (from->family != ADDR_UNIX)
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return fd;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return LISTEN_NO_FDS;
        /* These are about that one connection; anything else can wait for the next event.
         */
        if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO && errno != EPERM)
            return LISTEN_AGAIN;
    }
}
