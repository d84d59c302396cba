/* garbage: what nobody should say to a WebSocket server, nor to one behind TLS. */
#include "torture.h"

#include <openssl/err.h>
#include <string.h>

#define UPGRADE_TO                                                                       \
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define OFFER "Sec-WebSocket-Extensions: permessage-deflate"

const char UPGRADE[] = UPGRADE_TO "\r\n";
const char UPGRADE_DEFLATE[] = UPGRADE_TO OFFER "\r\n\r\n";
const char UPGRADE_DEFLATE_SMALL[] =
    UPGRADE_TO OFFER "; server_max_window_bits=10\r\n\r\n";

struct said {
    const char *bytes;
    size_t len;
};

#define SAID(bytes)                                                                      \
    {                                                                                    \
        bytes, sizeof bytes - 1                                                          \
    }
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const struct said behind[] = {
    SAID("\x81\x01\x41"),                                     /* unmasked */
    SAID("\xd1\x80\0\0\0\0"),                                 /* reserved bits */
    SAID("\x83\x80\0\0\0\0"),                                 /* a reserved opcode */
    SAID("\x81\x82\0\0\0\0\xc0\xaf"),                         /* no UTF-8 */
    SAID("\x01\x81\0\0\0\0\xff"),                             /* that, unfinished */
    SAID("\x09\x80\0\0\0\0"),                                 /* a fragmented ping */
    SAID("\x80\x80\0\0\0\0"),                                 /* continues nothing */
    SAID("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"), /* a length beyond all */
    SAID("\x82\xff\0\0\0\x7f\xff\xff\xff\xff\0\0\0\0"),       /* beyond the limit */
    SAID("\x82\xfe\0\x01\0\0\0\0x"),                          /* in too many bytes */
    SAID("\x88\x81\0\0\0\0x"),                                /* half a close code */
    SAID("\x88\x82\0\0\0\0\x03\xed"),                         /* one nobody may send */
    SAID("\x81\x85\0\0\0\0{\"a\""),                           /* that never ends */
    SAID("\x81\x83\0\0\0\0{{{"),                              /* no JSON */
    SAID("\x81\x84\0\0\0\0null"),                             /* no object */
    SAID("\x81\x8c\0\0\0\0{\"type\":\"x\"}"),                 /* no such message */
    SAID("\xc1\x80\0\0\0\0"),                                 /* compressed nothing */
    SAID("\xc1\x84\0\0\0\0\xff\xff\xff\xff"),                 /* no DEFLATE */
    SAID("\xc1\x85\0\0\0\0\x4a\xce\xc8\x04\x82"),             /* half a block */
    SAID("\xc1\x85\0\0\0\0\x00\xff\xff\x00\x00"),             /* half a stored one */
    SAID("\xc9\x80\0\0\0\0"),                                 /* a compressed ping */
    SAID("\x01\x81\0\0\0\0x\xc0\x80\0\0\0\0"),                /* compressed too late */
};

static const struct said instead[] = {
    SAID("\r\n\r\n\r\n"),
    SAID("GARBAGE\r\n\r\n"),
    SAID("GET / HTTP/9.9\r\n\r\n"),
    SAID("GET /"),
    SAID("GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
    SAID("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"),
    SAID("GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"),
    SAID("\x16\x03\x01\x02\x00\x01\x00\x01"),
};

static const struct said instead_of_tls[] = {
    SAID("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), /* plain HTTP */
    SAID("\x16\x03\x01"),                              /* half a record's head */
    SAID("\x16\x03\x01\x40\x01"),                      /* one too large */
    SAID("\x16\x03\x01\x00\x00"),                      /* an empty one */
    SAID("\x16\x03\x01\x00\x04\x01\xff\xff\xff"),      /* a hello of 16 MB */
    SAID("\x15\x03\x01\x00\x02\x02\x28"),              /* an alert first */
    SAID("\x17\x03\x03\x00\x05hello"),                 /* data first */
    SAID("\x14\x03\x03\x00\x01\x01\x14\x03\x03\x00\x01\x01"),
    SAID("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"), /* SSL 2 */
};

static size_t write_random(uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)random_below(256);
    return len;
}

static size_t write_said(uint8_t *at, struct said what)
{
    memcpy(at, what.bytes, what.len);
    return what.len;
}

/* Beyond the server's --max-message once it is inflated. */
static size_t write_bomb(uint8_t *at)
{
    static const char blanks[3 << 19];
    uint64_t packed = t.packed;
    size_t len = frame_write_packed(at, blanks, sizeof blanks);
    t.packed = packed;
    return len;
}

size_t garbage_write(uint8_t at[GARBAGE_MAX], bool deflate)
{
    const char *upgrade = deflate ? UPGRADE_DEFLATE : UPGRADE;
    uint32_t which = random_below(LENGTH(behind) + LENGTH(instead) + 2);
    if (which >= LENGTH(behind) + LENGTH(instead) + 1)
        return write_random(at, 1024);
    if (which >= LENGTH(behind) + 1)
        return write_said(at, instead[which - LENGTH(behind) - 1]);
    size_t len = write_said(at, (struct said){upgrade, strlen(upgrade)});
    if (which == LENGTH(behind))
        return len + write_bomb(at + len);
    return len + write_said(at + len, behind[which]);
}

size_t garbage_write_instead_of_tls(uint8_t at[GARBAGE_MAX])
{
    uint32_t which = random_below(LENGTH(instead_of_tls) + 4);
    if (which < LENGTH(instead_of_tls))
        return write_said(at, instead_of_tls[which]);
    if (which == LENGTH(instead_of_tls))
        return write_random(at, 1024);
    size_t len = wire_write_hello(at, GARBAGE_MAX / 2);
    if (which == LENGTH(instead_of_tls) + 1) /* half a ClientHello */
        return len / 2;
    if (which == LENGTH(instead_of_tls) + 2) /* one with a wrong bit */
        at[5 + random_below((uint32_t)len - 5)] ^= (uint8_t)(1 << random_below(8));
    else /* a good one, and nothing good behind it */
        len += write_random(at + len, 512);
    return len;
}

bool garbage_spoil_tls(struct wire *w)
{
    uint8_t bytes[1024] = "\x17\x03\x03\x02\x00";
    switch (random_below(8)) {
    case 0: /* no record */
        (void)wire_put_below(w, bytes, write_random(bytes, sizeof bytes));
        return true;
    case 1: /* a record with a wrong tag */
        (void)wire_put_below(w, bytes, 5 + write_random(bytes + 5, 512));
        return true;
    case 2: /* half a record */
        (void)wire_put_below(w, bytes, 5 + write_random(bytes + 5, 100));
        return true;
    case 3: /* an end, and then more */
        SSL_shutdown(w->ssl);
        (void)wire_put_below(w, UPGRADE, strlen(UPGRADE));
        break;
    case 4: /* new keys, and again (RFC 8446 4.6.3), or a new handshake */
        for (int i = 0; i < 40; i++)
            if (SSL_version(w->ssl) == TLS1_3_VERSION)
                SSL_key_update(w->ssl, SSL_KEY_UPDATE_REQUESTED),
                    SSL_do_handshake(w->ssl);
            else if (i == 0)
                SSL_renegotiate(w->ssl), SSL_do_handshake(w->ssl);
        break;
    default:
        return false;
    }
    ERR_clear_error();
    return true;
}
