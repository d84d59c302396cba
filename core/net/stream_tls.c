/* stream_tls: OpenSSL's answers in the terms of stream.h. A record that the socket did
 * not take whole stays with the stream (`pending`), since SSL_write has to be called
 * again with the same bytes.
 * Longer than other files: certificates and the streams that have one share their set. */
#include "net/tls.h"

#include "base/ref.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_BYTES = 16 * 1024, PAIRS_MAX = 16 };

/* What one reading of the files gave; streams keep theirs. */
struct tls_set {
    struct ref ref;
    size_t count;
    SSL_CTX *contexts[PAIRS_MAX];
};

struct tls {
    pthread_mutex_t lock; /* over `set` */
    struct tls_set *set;
    struct tls_files files[PAIRS_MAX];
    size_t count;
    const char *client_ca;
};

struct tls_stream {
    struct stream base;
    SSL *ssl;
    struct tls_set *set;
    uint8_t *pending; /* plain bytes that SSL_write has to be given again */
    size_t pending_len;
    bool read_wants_write; /* the handshake waits for room in the socket */
    bool failed;           /* OpenSSL allows nothing more */
};

/* --- certificates -------------------------------------------------------- */

static void set_unref(struct tls_set *set)
{
    if (!set || !ref_drop(&set->ref))
        return;
    for (size_t i = 0; i < set->count; i++)
        SSL_CTX_free(set->contexts[i]);
    free(set);
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl, (void)arg;
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2 */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* SNI (RFC 6066 3): the pair whose certificate has the name. */
static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
    (void)alert, (void)arg;
    const struct tls_stream *s = SSL_get_app_data(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    for (size_t i = 0; name && i < s->set->count; i++) {
        X509 *cert = SSL_CTX_get0_certificate(s->set->contexts[i]);
        if (cert && X509_check_host(cert, name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, s->set->contexts[i]);
            break;
        }
    }
    return SSL_TLSEXT_ERR_OK;
}

/* Without a passphrase nobody is asked for one at the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf, (void)size, (void)rwflag, (void)arg;
    return 0;
}

static void explain(char *error, size_t size, const char *what, const char *file)
{
    /* The first error is the cause; the later ones say who noticed. */
    unsigned long first = ERR_peek_error();
    const char *why = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                                              : ERR_reason_error_string(first);
    /* It calls a file of something else "no start line", or "unsupported". */
    if (ERR_GET_LIB(first) == ERR_LIB_PEM && ERR_GET_REASON(first) == PEM_R_NO_START_LINE)
        why = "it holds no certificate in PEM";
    else if (ERR_GET_REASON(first) == ERR_R_UNSUPPORTED)
        why = "it holds no private key in PEM";
    else if (why && strcmp(why, "bad decrypt") == 0)
        why = "it is encrypted; save it without a passphrase";
    snprintf(error, size, "%s %s: %s", what, file, why ? why : "it could not be read");
    ERR_clear_error();
}

static int ask_for_clients(SSL_CTX *ctx, const char *client_ca, char *error, size_t size)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(client_ca);
    if (!names || SSL_CTX_load_verify_locations(ctx, client_ca, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        explain(error, size, "cannot use --client-ca", client_ca);
        return -1;
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return 0;
}

/* RFC 9325 4.2: the keys of TLS 1.2 are ephemeral and its ciphers authenticate, as all
 * are in 1.3. Left to itself OpenSSL takes RSA key transport and CBC too. */
static const char suites_1_2[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK";

static SSL_CTX *context_new(const struct tls_files *files, const char *client_ca,
                            char *error, size_t size)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx || SSL_CTX_set_cipher_list(ctx, suites_1_2) != 1) {
        explain(error, size, "cannot set up", "TLS");
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
#ifdef SSL_OP_ENABLE_KTLS
    SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
#endif
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(
        ctx, SSL_SESS_CACHE_OFF); /* resumption is by tickets: no memory */
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"charlua", 7);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, choose_certificate);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1)
        explain(error, size, "cannot use --cert", files->cert);
    else if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1)
        explain(error, size, "cannot use --key", files->key);
    else if (SSL_CTX_check_private_key(ctx) != 1)
        explain(error, size, "--cert is not for this --key", files->key);
    else if (!client_ca || ask_for_clients(ctx, client_ca, error, size) == 0)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static struct tls_set *set_new(const struct tls *tls, char *error, size_t size)
{
    struct tls_set *set = calloc(1, sizeof *set);
    if (!set) {
        snprintf(error, size, "out of memory");
        return NULL;
    }
    ref_init(&set->ref);
    for (; set->count < tls->count; set->count++) {
        set->contexts[set->count] =
            context_new(&tls->files[set->count], tls->client_ca, error, size);
        if (!set->contexts[set->count]) {
            set_unref(set);
            return NULL;
        }
    }
    return set;
}

struct tls *tls_new(const struct tls_files *files, size_t count, const char *client_ca,
                    char *error, size_t size)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls || count == 0 || count > PAIRS_MAX) {
        snprintf(error, size, "TLS takes 1 to %d certificates", PAIRS_MAX);
        free(tls);
        return NULL;
    }
    memcpy(tls->files, files, count * sizeof *files);
    tls->count = count;
    tls->client_ca = client_ca;
    tls->set = set_new(tls, error, size);
    if (!tls->set) {
        free(tls);
        return NULL;
    }
    pthread_mutex_init(&tls->lock, NULL);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    set_unref(tls->set);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

int tls_reload(struct tls *tls, char *error, size_t size)
{
    struct tls_set *set = set_new(tls, error, size);
    if (!set)
        return -1;
    pthread_mutex_lock(&tls->lock);
    struct tls_set *old = tls->set;
    tls->set = set;
    pthread_mutex_unlock(&tls->lock);
    set_unref(old);
    return 0;
}

int tls_describe(struct tls *tls, size_t i, char *text, size_t size)
{
    char subject[256], expires[32] = "never";
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    struct tm when;
    if (i >= tls->count)
        return -1;
    pthread_mutex_lock(&tls->lock);
    X509 *cert = SSL_CTX_get0_certificate(tls->set->contexts[i]);
    X509_NAME_oneline(X509_get_subject_name(cert), subject, sizeof subject);
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &when) == 1)
        strftime(expires, sizeof expires, "%Y-%m-%dT%H:%M:%SZ", &when);
    X509_digest(cert, EVP_sha256(), digest, NULL);
    pthread_mutex_unlock(&tls->lock);
    snprintf(text, size, "cert=%s subject=%s expires=%s sha256=%02x%02x%02x%02x",
             tls->files[i].cert, subject, expires, digest[0], digest[1], digest[2],
             digest[3]);
    return 0;
}

/* --- streams ------------------------------------------------------------- */

static struct tls_stream *of(struct stream *s)
{
    return (struct tls_stream *)(void *)s;
}

/* What a call that returned `n` <= 0 means. */
static ssize_t result(struct tls_stream *s, int n)
{
    switch (SSL_get_error(s->ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_END;
    default:
        s->failed = true;
        ERR_clear_error(); /* the queue is the thread's: the next call's answer must not
                              see it */
        return STREAM_ERROR;
    }
}

static ssize_t tls_read(struct stream *base, uint8_t *at, size_t len)
{
    struct tls_stream *s = of(base);
    ERR_clear_error();
    int n = SSL_read(s->ssl, at, len > INT32_MAX ? INT32_MAX : (int)len);
    s->read_wants_write = n <= 0 && SSL_get_error(s->ssl, n) == SSL_ERROR_WANT_WRITE;
    return n > 0 ? n : result(s, n);
}

static ssize_t tls_read_raw(struct stream *base, uint8_t *at, size_t len, bool peek)
{
    ssize_t n = recv(base->fd, at, len, peek ? MSG_PEEK : 0);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : STREAM_ERROR;
}

/* Gives SSL_write what it did not finish. Returns 0 once it has, AGAIN or ERROR. */
static ssize_t finish(struct tls_stream *s)
{
    if (!s->pending)
        return 0;
    ERR_clear_error();
    int n = SSL_write(s->ssl, s->pending, (int)s->pending_len);
    if (n <= 0)
        return result(s, n) == STREAM_AGAIN ? STREAM_AGAIN : STREAM_ERROR;
    free(s->pending);
    s->pending = NULL;
    return 0;
}

/* The start of what `iov` describes, at most one record's worth, in one piece. */
static size_t gather(const struct iovec *iov, int count, uint8_t out[RECORD_BYTES])
{
    size_t len = 0;
    for (int i = 0; i < count && len < RECORD_BYTES; i++) {
        size_t n =
            iov[i].iov_len < RECORD_BYTES - len ? iov[i].iov_len : RECORD_BYTES - len;
        memcpy(out + len, iov[i].iov_base, n);
        len += n;
    }
    return len;
}

static ssize_t tls_write(struct stream *base, const struct iovec *iov, int count)
{
    struct tls_stream *s = of(base);
    uint8_t record[RECORD_BYTES];
    ssize_t before = finish(s);
    size_t len = before < 0 ? 0 : gather(iov, count, record);
    if (len == 0)
        return before;
    ERR_clear_error();
    int n = SSL_write(s->ssl, record, (int)len);
    if (n > 0)
        return n;
    if (result(s, n) != STREAM_AGAIN)
        return STREAM_ERROR;
    s->pending = malloc(len);
    if (!s->pending)
        return STREAM_ERROR;
    memcpy(s->pending, record, len);
    s->pending_len = len;
    return (ssize_t)len;
}

static bool tls_is_pending(const struct stream *base)
{
    return SSL_pending(((const struct tls_stream *)(const void *)base)->ssl) > 0;
}

static enum stream_wants tls_wants(const struct stream *base)
{
    const struct tls_stream *s = (const struct tls_stream *)(const void *)base;
    return s->pending            ? STREAM_WANTS_WRITE
           : s->read_wants_write ? STREAM_WANTS_READ_RETRY
                                 : 0;
}

/* Says close_notify once, so that the peer can tell an end from a cut (RFC 8446 6.1), if
 * it can still be said: not in a handshake, after a failure, or while a record is stuck
 * half-way in a socket that takes nothing. The peer's is not waited for. */
static void say_close_notify(struct tls_stream *s)
{
    if (s->failed || !SSL_is_init_finished(s->ssl) || finish(s) < 0 ||
        (SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN))
        return;
    ERR_clear_error();
    SSL_shutdown(s->ssl);
    ERR_clear_error();
}

static void tls_shutdown(struct stream *base)
{
    say_close_notify(of(base));
    shutdown(base->fd, SHUT_WR);
}

static void tls_stream_free(struct stream *base)
{
    struct tls_stream *s = of(base);
    say_close_notify(s); /* who ends without a tls_shutdown, as when time is over */
    SSL_free(s->ssl);
    set_unref(s->set);
    close(base->fd);
    free(s->pending);
    free(s);
}

static bool tls_subject(const struct stream *base, char *out, size_t size)
{
    const struct tls_stream *s = (const struct tls_stream *)(const void *)base;
    X509 *cert = SSL_get0_peer_certificate(s->ssl);
    BIO *bio =
        cert && SSL_get_verify_result(s->ssl) == X509_V_OK ? BIO_new(BIO_s_mem()) : NULL;
    if (!bio)
        return false;
    X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253);
    int n = BIO_read(bio, out, (int)size - 1);
    bool whole =
        n > 0 && BIO_pending(bio) == 0; /* a part could be taken for another's name */
    BIO_free(bio);
    out[whole ? n : 0] = 0;
    return whole;
}

static const struct stream_ops tls_ops = {
    .read = tls_read,
    .read_raw = tls_read_raw,
    .write = tls_write,
    .is_pending = tls_is_pending,
    .wants = tls_wants,
    .subject = tls_subject,
    .shutdown = tls_shutdown,
    .free = tls_stream_free,
};

struct stream *stream_tls_new(struct tls *tls, int fd)
{
    struct tls_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base = (struct stream){.ops = &tls_ops, .fd = fd, .secure = true};
    pthread_mutex_lock(&tls->lock);
    s->set = tls->set;
    ref_take(&s->set->ref);
    pthread_mutex_unlock(&tls->lock);
    s->ssl = SSL_new(s->set->contexts[0]);
    if (!s->ssl || SSL_set_fd(s->ssl, fd) != 1 || SSL_set_app_data(s->ssl, s) != 1) {
        SSL_free(s->ssl);
        set_unref(s->set);
        free(s);
        return NULL;
    }
    SSL_set_accept_state(s->ssl);
    return &s->base;
}
