/* config_table: one row an option; the parser, the help and the checks read it, so that a
 * new option is a row here, a field of struct config and a row of README.md. */
#include "config.h"

#include "net/listen.h"
#include "wire/http.h"
#include "wire/origin.h"

#include <string.h>

#define KIB 1024LL
#define MIB (1024LL * 1024)

#define AT(field) .offset = offsetof(struct config, field)

/* What a shell would take for a name. */
static bool is_variable_name(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *name && (*name < '0' || *name > '9') && !name[strspn(name, allowed)];
}

static const struct config_option options[] = {
    {"listen", "ADDR:PORT", "127.0.0.1:7272 and 127.0.0.1:55151",
     "where to listen, or unix:PATH[,mode=0660][,group=NAME], or fd:N (inherited); tls: "
     "before it for TLS; repeatable",
     CONFIG_LISTEN, AT(listen), .most = CONFIG_LISTEN_MAX},
    {"cert", "FILE", NULL, "certificate chain for TLS (PEM); repeatable, chosen by SNI",
     CONFIG_TEXTS, AT(cert), .most = CONFIG_CERT_MAX},
    {"key", "FILE", NULL, "private key of the --cert in the same place (PEM)",
     CONFIG_TEXTS, AT(key), .most = CONFIG_CERT_MAX},
    {"client-ca", "FILE", NULL, "ask clients for certificates signed by these (PEM)",
     CONFIG_TEXT, AT(client_ca)},
    {"origin", "ORIGIN", NULL,
     "let pages from there connect too: scheme://host[:port], the first label may be *, "
     "or null, file:// or * for any; repeatable",
     CONFIG_TEXTS, AT(origin), .most = CONFIG_ORIGIN_MAX, .fault = origin_fault},
    {"host", "NAME", NULL,
     "a name that requests may say in Host, beside localhost and addresses; repeatable. "
     "Without it: any",
     CONFIG_TEXTS, AT(host), .most = CONFIG_HOST_MAX, .check = origin_is_host,
     .say = "a name alone, like chat.example.org, without scheme and port"},
    {"hsts", "SECONDS", "0",
     "answers over TLS tell browsers to come over TLS alone for so long; 0: not",
     CONFIG_NUMBER, AT(hsts), 0, 63072000},
    {"trust-proxy", "CIDR", NULL,
     "believe proxies from there: PROXY header, X-Forwarded-*, Forwarded; or unix; "
     "repeatable",
     CONFIG_RANGE, AT(trusted), .most = CONFIG_ORIGIN_MAX},
    {"threads", "N", "0 below 4 CPUs, else CPUs - 1",
     "0: everything on one thread; N: N for connections, one for the script",
     CONFIG_NUMBER, AT(threads), 0, CONFIG_THREADS_MAX},
    {"script", "FILE", "chat.lua", "the rules; the same as the SCRIPT argument",
     CONFIG_TEXT, AT(script)},
    {"page", "DIR", "public, beside the script", "the static files to serve", CONFIG_TEXT,
     AT(page)},
    {"watch", NULL, NULL, "reload the rules when the script or a module of it is saved",
     CONFIG_FLAG, AT(watch)},
    {"trusted", NULL, NULL,
     "scripts may use io, os, debug, C modules and bytecode: all that this user may",
     CONFIG_FLAG, AT(trusted_script)},
    {"set", "KEY=VALUE", NULL, "a value for the script, in chat.options; repeatable",
     CONFIG_PAIR, AT(set), .most = CONFIG_SET_MAX},
    {"env", "NAME", NULL,
     "let the script read this environment variable, with chat.env; repeatable",
     CONFIG_TEXTS, AT(env), .most = CONFIG_ENV_MAX, .check = is_variable_name,
     .say = "a variable's name, like API_KEY"},
    {"http-allow", "ORIGIN", NULL,
     "let the script ask this service, with chat.http: scheme://host[:port]; repeatable",
     CONFIG_TEXTS, AT(http_allow), .most = CONFIG_ORIGIN_MAX, .check = origin_is_service,
     .say = "scheme://host[:port], like https://api.example.org; nothing behind it"},
    {"http-ca", "FILE", NULL,
     "trust certificates signed by these (PEM) too, when asking services", CONFIG_TEXT,
     AT(http_ca)},
    {"http-max", "BYTES", "1048576",
     "largest body to or from a service; beyond it: nil, \"too large\"", CONFIG_BYTES,
     AT(http_max), 1 * KIB, 64 * MIB},
    {"log-level", "LEVEL", "info", "error, warn, info or debug", CONFIG_CHOICE,
     AT(log_level), .words = "error warn info debug"},
    {"max-message", "BYTES", "1048576",
     "largest message from a client; beyond it: close 1009", CONFIG_BYTES,
     AT(max_message), 1, 1024 * MIB},
    {"max-fragments", "N", "16384", "most frames in one message; beyond it: close 1008",
     CONFIG_NUMBER, AT(max_fragments), 1, 1 << 30},
    {"max-connections", "N", "50000",
     "most connections in all, 0: any number; beyond it: closed", CONFIG_NUMBER,
     AT(max_connections), 0, 1 << 21},
    {"max-per-address", "N", "2000",
     "most connections of one address, 0: any number; beyond it: closed", CONFIG_NUMBER,
     AT(max_per_address), 0, 1 << 21},
    {"max-connect-rate", "N", "500",
     "new connections a second of one address, 0: any; beyond it: closed", CONFIG_NUMBER,
     AT(max_connect_rate), 0, 1000000},
    {"max-rate", "N", "1000",
     "messages a second of one client, 0: any; beyond it: error, then close 1008",
     CONFIG_NUMBER, AT(max_rate), 0, 1000000},
    {"max-byte-rate", "BYTES", "4194304", "the same in bytes of messages", CONFIG_BYTES,
     AT(max_byte_rate), 0, 1024 * MIB},
    {"max-queued", "BYTES", "268435456",
     "most that may wait for all clients together; beyond it: see --slow", CONFIG_BYTES,
     AT(max_queued), 64 * KIB, 1024 * 1024 * MIB},
    {"max-json-depth", "N", "64",
     "deepest nesting in a message; beyond it: error bad_json", CONFIG_NUMBER,
     AT(max_json_depth), 1, 1000},
    {"max-head", "BYTES", "16384", "largest head of a request; beyond it: 431",
     CONFIG_BYTES, AT(max_head), 256, 1 * MIB},
    {"max-fields", "N", "100", "most fields in a request's head; beyond it: 431",
     CONFIG_NUMBER, AT(max_fields), 8, HTTP_FIELDS_MAX},
    {"max-body", "BYTES", "65536",
     "largest body of a request for the script; beyond it: 413", CONFIG_BYTES,
     AT(max_body), 1, 64 * MIB},
    {"max-queue", "BYTES", "1048576",
     "most that may wait for one client; beyond it: see --slow", CONFIG_BYTES,
     AT(max_queue), 1 * KIB, 1024 * MIB},
    {"slow", "POLICY", "close",
     "a client whose queue is full: close (1013) or drop the message", CONFIG_CHOICE,
     AT(drop_when_slow), .words = "close drop"},
    {"max-rooms", "N", "100000", "most rooms in all; beyond it join says no",
     CONFIG_NUMBER, AT(max_rooms), 1, 100000000},
    {"max-client-rooms", "N", "64", "most rooms of one client; beyond it join says no",
     CONFIG_NUMBER, AT(max_client_rooms), 1, 10000},
    {"deflate-min", "BYTES", "256",
     "smallest message that is compressed (permessage-deflate); 0: all are", CONFIG_BYTES,
     AT(deflate_min), 0, 1024 * MIB},
    {"no-deflate", NULL, NULL, "never compress", CONFIG_FLAG, AT(no_deflate)},
    {"head-time", "SECONDS", "10",
     "time for a request's head to arrive, and as much for its body", CONFIG_NUMBER,
     AT(head_time), 1, 3600},
    {"keep-alive-time", "SECONDS", "75",
     "time in which a connection that was answered may ask again", CONFIG_NUMBER,
     AT(keep_alive_time), 1, 86400},
    {"answer-time", "SECONDS", "60", "time for the script to answer a request",
     CONFIG_NUMBER, AT(answer_time), 1, 3600},
    {"ping-interval", "SECONDS", "30", "time between our pings", CONFIG_NUMBER,
     AT(ping_interval), 2, 86400},
    {"ping-timeout", "SECONDS", "20, or less than the interval",
     "time for a sign of life after a ping", CONFIG_NUMBER, AT(ping_timeout), 1, 86400},
    {"close-time", "SECONDS", "3", "time for the peer's part of a close", CONFIG_NUMBER,
     AT(close_time), 1, 60},
    {"handler-time", "MILLISECONDS", "50", "time that a handler may run", CONFIG_NUMBER,
     AT(handler_time), 1, 60000},
    {"script-memory", "BYTES", "268435456", "memory that the script may use",
     CONFIG_BYTES, AT(script_memory), 1 * MIB, 65536 * MIB},
};

const struct config_option *config_options(size_t *count)
{
    *count = sizeof options / sizeof *options;
    return options;
}
