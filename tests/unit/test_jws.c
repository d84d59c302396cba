/* jws against the tokens of RFC 7515 appendix A and RFC 8037 appendix A.4: whole, cut at
 * every byte, and with every one of their bytes another. */
#include "unit.h"
#include "wire/base64url.h"
#include "wire/jws.h"

#define CLAIMS                                                                           \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb2" \
    "90Ijp0cnVlfQ"

/* In the order of enum jws_alg. */
static const struct vector {
    const char *name;
    enum jws_alg alg;
    struct bytes token;
    struct bytes key; /* of HS256: base64url */
} vectors[JWS_ALGS] = {
    {"jws_hs256_of_rfc_7515_a_1", JWS_HS256,
     LITERAL("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." CLAIMS
             ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
     LITERAL("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwj"
             "AzZr1Z9CAow")},
    {"jws_rs256_of_rfc_7515_a_2", JWS_RS256,
     LITERAL("eyJhbGciOiJSUzI1NiJ9." CLAIMS
             ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-"
             "0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnb"
             "yTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
             "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98r"
             "qVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"),
     LITERAL("-----BEGIN PUBLIC KEY-----\n"
             "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n"
             "NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n"
             "P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n"
             "9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n"
             "EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n"
             "FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n"
             "oQIDAQAB\n"
             "-----END PUBLIC KEY-----\n")},
    {"jws_es256_of_rfc_7515_a_3", JWS_ES256,
     LITERAL("eyJhbGciOiJFUzI1NiJ9." CLAIMS
             ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJ"
             "qPP3-Kg6NU1Q"),
     LITERAL("-----BEGIN PUBLIC KEY-----\n"
             "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
             "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
             "-----END PUBLIC KEY-----\n")},
    {"jws_eddsa_of_rfc_8037_a_4", JWS_EDDSA,
     LITERAL("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
             "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVv"
             "pAr_MuM0KAg"),
     LITERAL("-----BEGIN PUBLIC KEY-----\n"
             "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
             "-----END PUBLIC KEY-----\n")},
};

/* Whether `token` is one of `v`'s algorithm and key. */
static bool is_good(const struct vector *v, struct bytes token, struct evp_pkey_st *key)
{
    static struct jws j;
    uint8_t secret[128];
    if (jws_parse(token, &j) < 0)
        return false;
    if (v->alg != JWS_HS256)
        return jws_has_key(&j, v->alg, key);
    ptrdiff_t len = base64url_decode(v->key, secret);
    return jws_has_secret(&j, (struct bytes){secret, (size_t)len});
}

static void verifies_row(void **state)
{
    const struct vector *v = *state;
    const char *why = NULL;
    struct evp_pkey_st *key =
        v->alg == JWS_HS256 ? NULL : jws_key_new(v->alg, guarded(v->key), &why);
    assert_null(why);
    assert_true(is_good(v, guarded(v->token), key));
    for (size_t cut = 0; cut < v->token.len; cut++)
        assert_false(is_good(v, guarded((struct bytes){v->token.at, cut}), key));
    for (size_t i = 0; i < v->token.len; i++) {
        uint8_t *copy = guard_copy(v->token);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        if (is_good(v, (struct bytes){copy, v->token.len}, key))
            fail_msg("byte %zu does not count", i);
    }
    jws_key_free(key);
}

static void jws_parts_are_decoded(void **state)
{
    (void)state;
    struct jws j;
    struct bytes token = vectors[JWS_EDDSA].token;
    assert_int_equal(jws_parse(token, &j), 0);
    assert_bytes_equal(j.header, BYTES("{\"alg\":\"EdDSA\"}"));
    assert_bytes_equal(j.payload, BYTES("Example of Ed25519 signing"));
    assert_int_equal(j.signature.len, 64);
    assert_bytes_equal(j.input, (struct bytes){token.at, token.len - 87});
}

static void jws_rejects_other_than_three_parts(void **state)
{
    (void)state;
    static const struct bytes texts[] = {
        LITERAL(""),
        LITERAL("."),
        LITERAL("e30"),
        LITERAL("e30.e30"),
        LITERAL("a.b.c.d"),
        LITERAL("...."),
        LITERAL("e30=.e30.e30"),
        LITERAL("e30.e30.e30\n"),
        LITERAL(" e30.e30.e30"),
    };
    struct jws j;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(jws_parse(guarded(texts[i]), &j), -1);
}

static void jws_takes_tokens_up_to_its_limit(void **state)
{
    (void)state;
    struct jws j;
    static uint8_t text[JWS_TOKEN_MAX + 4];
    memset(text, 'A', sizeof text);
    text[4] = text[9] = '.';
    assert_int_equal(jws_parse(guarded((struct bytes){text, JWS_TOKEN_MAX}), &j), 0);
    assert_int_equal(jws_parse(guarded((struct bytes){text, JWS_TOKEN_MAX + 4}), &j), -1);
}

/* The confusion of algorithms, RFC 8725 2.1. */
static void jws_takes_a_key_for_its_own_algorithm_only(void **state)
{
    (void)state;
    for (enum jws_alg key = JWS_RS256; key < JWS_ALGS; key++) {
        for (enum jws_alg alg = JWS_HS256; alg < JWS_ALGS; alg++) {
            const char *why = NULL;
            struct evp_pkey_st *made = jws_key_new(alg, vectors[key].key, &why);
            assert_int_equal(made != NULL, alg == key);
            assert_int_equal(why == NULL, alg == key);
            jws_key_free(made);
        }
    }
}

static void jws_reads_no_key_where_there_is_none(void **state)
{
    (void)state;
    struct bytes pem = vectors[JWS_EDDSA].key;
    for (size_t cut = 0; cut < pem.len - 1; cut++) {
        const char *why = NULL;
        struct bytes part = guarded((struct bytes){pem.at, cut});
        assert_null(jws_key_new(JWS_EDDSA, part, &why));
        assert_string_equal(why, "no public key or certificate in PEM");
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(vectors) + 5] = {
        cmocka_unit_test(jws_parts_are_decoded),
        cmocka_unit_test(jws_rejects_other_than_three_parts),
        cmocka_unit_test(jws_takes_tokens_up_to_its_limit),
        cmocka_unit_test(jws_takes_a_key_for_its_own_algorithm_only),
        cmocka_unit_test(jws_reads_no_key_where_there_is_none),
    };
    UNIT_ROWS(tests + 5, vectors, verifies_row);
    return cmocka_run_group_tests_name("jws", tests, NULL, NULL);
}
