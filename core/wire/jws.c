/* jws: libcrypto does the mathematics; what is checked here is that a key is fit for the
 * algorithm before it is used with it. */
#include "wire/jws.h"

#include "wire/base64url.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

enum {
    DIGEST_BYTES = 32,
    P256_BYTES = 32,     /* of r, and of s (RFC 7518 3.4) */
    DER_BYTES = 80,      /* more than an ECDSA signature over P-256 takes: 72 */
    RSA_MIN_BITS = 2048, /* RFC 7518 3.3 */
    PEM_MAX = 64 * 1024,
};

const char *const jws_alg_names[JWS_ALGS + 1] = {"HS256", "RS256", "ES256", "EdDSA",
                                                 NULL};

/* Decodes `part` behind what is there and moves *to. Returns 0 or -1. */
static int decode(struct bytes part, uint8_t **to, struct bytes *out)
{
    ptrdiff_t n = base64url_decode(part, *to);
    if (n < 0)
        return -1;
    *out = (struct bytes){*to, (size_t)n};
    *to += n;
    return 0;
}

int jws_parse(struct bytes token, struct jws *out)
{
    if (token.len == 0 || token.len > JWS_TOKEN_MAX)
        return -1;
    const uint8_t *end = token.at + token.len, *last = memrchr(token.at, '.', token.len);
    const uint8_t *first = memchr(token.at, '.', token.len);
    if (!first || first == last)
        return -1;
    struct bytes header = {token.at, (size_t)(first - token.at)},
                 payload = {first + 1, (size_t)(last - first - 1)},
                 signature = {last + 1, (size_t)(end - last - 1)};
    uint8_t *to = out->decoded;
    if (decode(header, &to, &out->header) < 0 ||
        decode(payload, &to, &out->payload) < 0 ||
        decode(signature, &to, &out->signature) < 0)
        return -1;
    out->input = (struct bytes){token.at, (size_t)(last - token.at)};
    return 0;
}

/* libcrypto would ask whoever sits at the terminal for the password of a private key. */
static int no_password(char *at, int size, int writing, void *ctx)
{
    (void)at, (void)size, (void)writing, (void)ctx;
    return -1;
}

static EVP_PKEY *read_pem(struct bytes pem)
{
    BIO *in = pem.len <= PEM_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
    if (!in)
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PUBKEY(in, NULL, no_password, NULL);
    if (!key) {
        (void)BIO_reset(in);
        X509 *cert = PEM_read_bio_X509(in, NULL, no_password, NULL);
        key = cert ? X509_get_pubkey(cert) : NULL;
        X509_free(cert);
    }
    BIO_free(in);
    ERR_clear_error(); /* TLS on this thread would take it for its own */
    return key;
}

/* What is wrong with `key`, or NULL. */
static const char *unfit(EVP_PKEY *key, enum jws_alg alg)
{
    char curve[32];
    switch (alg) {
    case JWS_RS256:
        if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
            return "RS256 takes an RSA key";
        return EVP_PKEY_get_bits(key) < RSA_MIN_BITS
                   ? "an RSA key of less than 2048 bits is too weak"
                   : NULL;
    case JWS_ES256:
        return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
                       EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1 &&
                       strcmp(curve, "prime256v1") == 0
                   ? NULL
                   : "ES256 takes an EC key on the curve P-256";
    case JWS_EDDSA:
        return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519
                   ? NULL
                   : "EdDSA takes an Ed25519 key";
    case JWS_HS256:
    case JWS_ALGS:
        break;
    }
    return "this algorithm takes no public key";
}

EVP_PKEY *jws_key_new(enum jws_alg alg, struct bytes pem, const char **why)
{
    EVP_PKEY *key = read_pem(pem);
    const char *reason = key ? unfit(key, alg) : "no public key or certificate in PEM";
    if (!reason)
        return key;
    EVP_PKEY_free(key);
    *why = reason;
    return NULL;
}

void jws_key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key);
}

bool jws_has_secret(const struct jws *j, struct bytes secret)
{
    uint8_t mac[DIGEST_BYTES];
    return j->signature.len == sizeof mac && secret.len <= INT32_MAX &&
           HMAC(EVP_sha256(), secret.at, (int)secret.len, j->input.at, j->input.len, mac,
                NULL) &&
           CRYPTO_memcmp(mac, j->signature.at, sizeof mac) == 0;
}

/* Turns r and s (RFC 7518 3.4) into what libcrypto verifies, a DER sequence of two
 * numbers. Returns its length, or 0: no such signature, or memory is out. */
static size_t to_der(struct bytes raw, uint8_t der[DER_BYTES])
{
    if (raw.len != 2 * P256_BYTES)
        return 0;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.at, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(raw.at + P256_BYTES, P256_BYTES, NULL);
    int n = 0;
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* moved */
        n = i2d_ECDSA_SIG(pair, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return n > 0 ? (size_t)n : 0;
}

bool jws_has_key(const struct jws *j, enum jws_alg alg, EVP_PKEY *key)
{
    uint8_t der[DER_BYTES];
    struct bytes signature = j->signature;
    if (alg == JWS_ES256)
        signature = (struct bytes){der, to_der(signature, der)};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const EVP_MD *digest =
        alg == JWS_EDDSA ? NULL : EVP_sha256(); /* Ed25519 has its own */
    bool good =
        ctx && signature.len && EVP_DigestVerifyInit(ctx, NULL, digest, NULL, key) == 1 &&
        EVP_DigestVerify(ctx, signature.at, signature.len, j->input.at, j->input.len) ==
            1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}
