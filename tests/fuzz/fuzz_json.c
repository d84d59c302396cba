/* fuzz_json: messages to the rules of the default chat: whatever comes, every answer is a
 * whole text frame and the host goes on. Lines of the input are messages of two clients
 * in turn. */
#include "fuzz.h"

#include "base/id.h"
#include "script/host.h"
#include "wire/outframe.h"
#include "wire/header.h"
#include "wire/utf8.h"

static struct mailbox inbox, shard;
static struct host *host;
static struct stats stats;
static uint32_t generation;
static atomic_bool draining;

static void nothing(void *ctx)
{
    (void)ctx;
}

static void open_host(void)
{
    static const struct log silent;
    mailbox_init(&inbox, 1 << 20, nothing, nothing, NULL);
    mailbox_init(&shard, 1 << 30, nothing, nothing, NULL);
    struct host_setup setup = {
        .script = "scripts/chat.lua",
        .log = &silent,
        .stats = &stats,
        .inbox = &inbox,
        .shards = &shard,
        .shard_count = 1,
        .frame_max = 1 << 20,
        .is_draining = &draining,
        .memory_max = 64 << 20,
        .json_depth = 64,
        .handler_time = 10,
        .rooms_max = 1000,
        .rooms_per_client = 8,
        .version = "fuzz",
    };
    host = host_new(&setup);
    REQUIRE(host && host_load(host) == 0);
}

static void post(enum mail_kind kind, uint64_t id, struct bytes bytes)
{
    struct batch b = {0};
    struct mail m = {.kind = kind, .id = id};
    if (kind == MAIL_OPEN)
        m.open.head_len = (uint32_t)bytes.len;
    if (kind == MAIL_CLOSED)
        m.code = 1000;
    REQUIRE(batch_add(&b, &m, bytes) == 0 && mailbox_post(&inbox, &b) == 0);
    buf_deinit(&b.buf);
}

/* Looks at what was answered, and gives it up. */
static void take_answers(void)
{
    struct batch b = {0};
    size_t at = 0;
    mailbox_take(&shard, &b);
    for (struct mail *m; (m = batch_next(&b, &at));) {
        if (m->kind != MAIL_SEND && m->kind != MAIL_BROADCAST)
            continue;
        struct ws_header h;
        struct bytes all = outframe_bytes(m->frame);
        int n = ws_header_parse(all, &h);
        REQUIRE(n > 0 && h.opcode == WS_TEXT && h.len == all.len - (size_t)n);
        REQUIRE(utf8_is_valid(bytes_skip(all, (size_t)n)));
        outframe_unref(m->frame);
    }
    buf_deinit(&b.buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!host)
        open_host();
    generation = generation % 1000000 + 1;
    uint64_t ids[2] = {id_make(0, 0, generation), id_make(0, 1, generation)};
    struct bytes rest = {data, size},
                 head = bytes_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 2; i++)
        post(MAIL_OPEN, ids[i], head);
    for (int i = 0; rest.len; i ^= 1) {
        const uint8_t *end = memchr(rest.at, '\n', rest.len);
        struct bytes line = {rest.at, end ? (size_t)(end - rest.at) : rest.len};
        if (utf8_is_valid(line)) /* the frame layer refuses the rest */
            post(MAIL_MESSAGE, ids[i], line);
        rest = bytes_skip(rest, end ? line.len + 1 : line.len);
    }
    for (int i = 0; i < 2; i++)
        post(MAIL_CLOSED, ids[i], (struct bytes){0});
    while (host_turn(host, 1, 1416333030))
        take_answers();
    take_answers();
    REQUIRE(stats_read(&stats.handler_errors) == 0);
    return 0;
}
