/* routes: a walk over the list; it is short, and asked for plain requests only. */
#include "wire/routes.h"

static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

enum { NAMES = sizeof names / sizeof *names, GET = 1 };

/* The bit of `method`, or 0. */
static unsigned bit_of(struct bytes method)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (bytes_equal(method, bytes_of(names[i])))
            return 1U << i;
    return 0;
}

const char *routes_fault(struct bytes key)
{
    if (key.len > ROUTE_KEY_MAX)
        return "it is longer than 256 bytes";
    struct bytes path = key, method = bytes_cut(&path, ' ');
    if (!bit_of(method))
        return "the method has to be GET, POST, PUT, PATCH or DELETE, and a space and "
               "the path follow";
    if (path.len == 0 || path.at[0] != '/')
        return "the path has to begin with /";
    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] == '?' || path.at[i] == '#')
            return "a path has no ? and no #: the query is in request.query";
        if (path.at[i] <= ' ' || path.at[i] >= 0x7F)
            return "a path is ASCII without spaces: say %20 and the like, as requests do";
    }
    if (bytes_equal(path, bytes_of("/healthz")))
        return "/healthz is the server's own";
    return NULL;
}

unsigned routes_methods(struct bytes routes, struct bytes path)
{
    unsigned methods = 0;
    while (routes.len) {
        struct bytes line = bytes_cut(&routes, '\n'), method = bytes_cut(&line, ' ');
        if (bytes_equal(line, path))
            methods |= bit_of(method);
    }
    return methods;
}

bool routes_takes(unsigned methods, struct bytes method)
{
    unsigned bit = bytes_equal(method, bytes_of("HEAD")) ? GET : bit_of(method);
    return (methods & bit) != 0;
}

void routes_allow(unsigned methods, char out[ROUTES_ALLOW_SIZE])
{
    char *at = stpcpy(out, "Allow: ");
    const char *before = "";
    for (unsigned i = 0; i < NAMES; i++) {
        if (!(methods & 1U << i))
            continue;
        at = stpcpy(stpcpy(at, before), names[i]);
        if (1U << i == GET)
            at = stpcpy(at, ", HEAD");
        before = ", ";
    }
    stpcpy(at, "\r\n");
}
