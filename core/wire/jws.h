/* jws: a signed token (JWS, compact; RFC 7515) taken apart, and its signature verified.
 * Does not know: JSON, claims, the time; which algorithm is right is the caller's to say,
 * never the token's (RFC 8725 3.1).
 * Thread: any (pure functions).
 * Owner: the caller; a key is freed with jws_key_free. */
#ifndef CHARLUA_WIRE_JWS_H
#define CHARLUA_WIRE_JWS_H

#include "base/bytes.h"

enum {
    JWS_TOKEN_MAX = 16 * 1024, /* bytes */
    JWS_SECRET_MIN = 32,       /* bytes: as many as the digest's, RFC 7518 3.2 */
};

enum jws_alg { JWS_HS256, JWS_RS256, JWS_ES256, JWS_EDDSA, JWS_ALGS };

/* "HS256" and so on (RFC 7518 3.1, RFC 8037 3.1); with JWS_ALGS at the end NULL. */
extern const char *const jws_alg_names[JWS_ALGS + 1];

struct jws {
    struct bytes input;                      /* what is signed: a part of the token */
    struct bytes header, payload, signature; /* decoded, in `decoded` */
    uint8_t decoded[JWS_TOKEN_MAX];
};

/* Takes `token` apart, which is borrowed. Returns 0, or -1: longer than JWS_TOKEN_MAX, or
 * not three parts of base64url. */
int jws_parse(struct bytes token, struct jws *out);

struct evp_pkey_st;

/* The public key in `pem`, a PEM public key or certificate (of which only the key
 * counts), for `alg` (not HS256). NULL: *why says what is wrong with it. */
struct evp_pkey_st *jws_key_new(enum jws_alg alg, struct bytes pem, const char **why);
void jws_key_free(struct evp_pkey_st *key);

/* True if the signature is that of HS256 with this secret. */
bool jws_has_secret(const struct jws *j, struct bytes secret);

/* True if it is one of `alg` by this key, which jws_key_new has made for `alg`. */
bool jws_has_key(const struct jws *j, enum jws_alg alg, struct evp_pkey_st *key);

#endif
