/* fuzz_jwt: signed tokens: what is taken apart is, put together again, the same text, so
 * no two texts are one token; and no signature is good that the key's owner did not make.
 */
#include "fuzz.h"

#include "wire/base64url.h"
#include "wire/jws.h"

/* Keys whose private halves nobody has. */
static const char ec_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERS9ETwUdIcT/dyerjdKgk5l6SOLV\n"
    "RHQgwcfnOaPsbBTf1k16v5zN/2aqNEj2EhCpnB1gsGCgr1Dmf6cWT5Wlhw==\n"
    "-----END PUBLIC KEY-----\n";
static const char ed_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEA1v3MLPkbuRdQs+PQOKNmErqfX/aZL0b8x2MZDbLyM0Q=\n"
    "-----END PUBLIC KEY-----\n";

/* Writes `part` as text and `separator` at `to`; returns what follows. */
static char *put(struct bytes part, char separator, char *to)
{
    base64url_encode(part, to);
    to += base64url_length(part.len);
    *to++ = separator;
    return to;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct evp_pkey_st *ec, *ed;
    static struct jws j;
    static char text[JWS_TOKEN_MAX + 8];
    const char *why;
    if (!ec) {
        ec = jws_key_new(JWS_ES256, bytes_of(ec_key), &why);
        ed = jws_key_new(JWS_EDDSA, bytes_of(ed_key), &why);
        REQUIRE(ec && ed);
    }
    if (jws_parse((struct bytes){data, size}, &j) < 0)
        return 0;
    char *end = put(j.payload, '.', put(j.header, '.', text));
    REQUIRE((size_t)(end - text) == j.input.len + 1);
    end = put(j.signature, 0, end) - 1;
    REQUIRE(bytes_equal((struct bytes){data, size},
                        (struct bytes){(uint8_t *)text, (size_t)(end - text)}));
    REQUIRE(!jws_has_secret(&j, bytes_of("nobody signs with this one secret")));
    REQUIRE(!jws_has_key(&j, JWS_ES256, ec));
    REQUIRE(!jws_has_key(&j, JWS_EDDSA, ed));
    return 0;
}
