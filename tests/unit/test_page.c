/* page: a folder made for the test, and everything that tries to leave it. */
#include "net/page.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char base[] = "/tmp/charlua-page-XXXXXX";
static struct page *page;

static const char *in_base(const char *path)
{
    static char out[2][256];
    static unsigned turn;
    char *at = out[turn++ % 2];
    snprintf(at, sizeof out[0], "%s/%s", base, path);
    return at;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(in_base(path), "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* base: secret.txt, root/ (served), rootless/secret.txt. */
static const char *const folders[] = {"root", "root/sub", "root/bare", "root/.git",
                                      "rootless"};
static const char *const files[] = {
    "secret.txt",          "root/index.html",      "root/a.css",
    "root/a.unknown",      "root/.hidden",         "root/empty.txt",
    "root/.git/head",      "root/a b.txt",         "rootless/secret.txt",
    "root/sub/index.html", "root/.git/index.html", "index.html"};
static const char *const links[] = {"root/out", "root/outdir", "root/in.css", "root/loop",
                                    "root/near"};

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(base));
    for (size_t i = 0; i < COUNT(folders); i++)
        assert_int_equal(mkdir(in_base(folders[i]), 0700), 0);
    for (size_t i = 0; i < COUNT(files); i++)
        put(files[i], strstr(files[i], "empty") ? "" : files[i]);
    assert_int_equal(symlink("../secret.txt", in_base(links[0])), 0);
    assert_int_equal(symlink("..", in_base(links[1])), 0);
    assert_int_equal(symlink("a.css", in_base(links[2])), 0);
    assert_int_equal(symlink("loop", in_base(links[3])), 0);
    assert_int_equal(symlink("../rootless", in_base(links[4])), 0);
    page = page_open(in_base("root"));
    return page ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    page_close(page);
    for (size_t i = 0; i < COUNT(links); i++)
        unlink(in_base(links[i]));
    for (size_t i = 0; i < COUNT(files); i++)
        unlink(in_base(files[i]));
    for (size_t i = COUNT(folders); i > 0; i--)
        rmdir(in_base(folders[i - 1]));
    return rmdir(base);
}

/* The answer to `line` ("GET /"), with one more field; NULL-terminated, valid until the
 * next call. */
static const char *ask(const char *line, const char *field)
{
    static char out[4096];
    static struct http_head head;
    static const struct http_limits limits = {4096, 16};
    char request[2048];
    snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", line, field);
    assert_int_equal(http_head_parse(bytes_of(request), &limits, &head), 0);
    struct page_answer a;
    page_answer(page, &head, &a);
    a.answer.head_only = bytes_equal(head.method, bytes_of("HEAD"));
    struct outframe *f = answer_new(&a.answer);
    assert_null(a.rest);
    page_answer_deinit(&a);
    assert_non_null(f);
    assert_true(outframe_bytes(f).len < sizeof out);
    memcpy(out, outframe_bytes(f).at, outframe_bytes(f).len);
    out[outframe_bytes(f).len] = 0;
    outframe_unref(f);
    return out;
}

static const struct row {
    const char *name, *line;
    int status;
    const char *wanted; /* a part of the answer */
} rows[] = {
    {"page_gives_the_index", "GET /", 200, "\r\n\r\nroot/index.html"},
    {"page_gives_a_file", "GET /a.css", 200, "\r\n\r\nroot/a.css"},
    {"page_knows_types", "GET /a.css", 200, "Content-Type: text/css; charset=utf-8\r\n"},
    {"page_gives_unknown_types_as_bytes", "GET /a.unknown", 200,
     "Content-Type: application/octet-stream\r\n"},
    {"page_decodes_a_path", "GET /a%20b.txt", 200, "root/a b.txt"},
    {"page_decodes_upper_case_hex", "GET /%61%2Ecss", 200, "root/a.css"},
    {"page_decodes_lower_case_hex", "GET /a%2ecss", 200, "root/a.css"},
    {"page_leaves_a_query_alone", "GET /a.css?../secret.txt", 200, "root/a.css"},
    {"page_gives_an_empty_file", "GET /empty.txt", 200, "Content-Length: 0\r\n"},
    {"page_tells_a_head_the_length_alone", "HEAD /a.css", 200, "Content-Length: 10\r\n"},
    {"page_has_a_policy", "GET /", 200, "Content-Security-Policy: default-src 'none'"},
    {"page_follows_links_inside_the_folder", "GET /in.css", 200, "root/a.css"},
    {"page_has_no_file_that_is_not_there", "GET /none", 404, ""},
    {"page_lists_no_folder", "GET /bare", 404, ""},
    {"page_lists_no_folder_by_its_slash", "GET /bare/", 404, ""},
    {"page_gives_the_index_of_a_folder", "GET /sub/", 200, "root/sub/index.html"},
    {"page_leads_to_the_slash_of_a_folder", "GET /sub", 301, "\r\nLocation: /sub/\r\n"},
    {"page_leads_with_the_query", "GET /sub?a=/b", 301, "\r\nLocation: /sub/?a=/b\r\n"},
    {"page_leads_a_head", "HEAD /sub", 301, "\r\nLocation: /sub/\r\n"},
    {"page_leads_as_it_was_asked", "GET /%73ub", 301, "\r\nLocation: /%73ub/\r\n"},
    {"page_leads_to_no_other_host", "GET //sub", 301, "\r\nLocation: /sub/\r\n"},
    {"page_leads_to_no_other_host_by_a_url", "GET http://b//sub", 301,
     "\r\nLocation: /sub/\r\n"},
    {"page_leads_to_nothing_outside", "GET /outdir", 404, ""},
    {"page_leads_to_nothing_hidden", "GET /.git", 404, ""},
    {"page_leads_to_nothing_by_dots", "GET /sub/..", 404, ""},
    {"page_hides_dot_files", "GET /.hidden", 404, ""},
    {"page_hides_dot_folders", "GET /.git/head", 404, ""},
    {"page_hides_encoded_dot_files", "GET /%2ehidden", 404, ""},
    {"page_refuses_dots", "GET /../secret.txt", 404, ""},
    {"page_refuses_dots_further_down", "GET /sub/../../secret.txt", 404, ""},
    {"page_refuses_encoded_dots", "GET /%2e%2e/secret.txt", 404, ""},
    {"page_refuses_half_encoded_dots", "GET /.%2e/secret.txt", 404, ""},
    {"page_refuses_encoded_slashes", "GET /..%2fsecret.txt", 404, ""},
    {"page_refuses_twice_encoded_dots", "GET /%252e%252e/secret.txt", 404, ""},
    {"page_refuses_a_second_root", "GET //etc/passwd", 404, ""},
    {"page_refuses_a_neighbour_of_the_same_beginning", "GET /near/secret.txt", 404, ""},
    {"page_refuses_links_out_of_the_folder", "GET /out", 404, ""},
    {"page_refuses_linked_folders_outside", "GET /outdir/secret.txt", 404, ""},
    {"page_refuses_a_loop_of_links", "GET /loop", 404, ""},
    {"page_refuses_nul", "GET /a.css%00.html", 404, ""},
    {"page_refuses_a_bad_escape", "GET /%zz", 404, ""},
    {"page_refuses_a_cut_escape", "GET /a%2", 404, ""},
    {"page_refuses_a_file_as_a_folder", "GET /a.css/", 404, ""},
};

static void is_answered(void **state)
{
    const struct row *row = *state;
    char first[32];
    const char *got = ask(row->line, "");
    snprintf(first, sizeof first, "HTTP/1.1 %d ", row->status);
    assert_memory_equal(got, first, strlen(first));
    assert_non_null(strstr(got, row->wanted));
    assert_null(strstr(got, "secret.txt"));
    assert_null(strstr(got, base));
    if (row->line[0] == 'H')
        assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}

/* The value of the ETag of /a.css. */
static void etag(char out[100])
{
    const char *at = strstr(ask("GET /a.css", ""), "\r\nETag: ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\r\nETag: %99s", out), 1);
}

/* The status of a GET of /a.css with `fields`, in which %s is its etag. */
static int status_with(const char *fields)
{
    char tag[100], all[512];
    int status;
    etag(tag);
    /* cppcheck-suppress wrongPrintfScanfArgNum; some have one %s */
    snprintf(all, sizeof all, fields, tag, tag);
    const char *got = ask("GET /a.css", all);
    assert_int_equal(sscanf(got, "HTTP/1.1 %d ", &status), 1);
    if (status == 304)
        assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
    assert_non_null(strstr(got, tag));
    return status;
}

static void page_says_304_to_who_has_the_file(void **state)
{
    (void)state;
    assert_int_equal(status_with("If-None-Match: %s\r\n"), 304);
    assert_int_equal(status_with("If-None-Match: \"other\", %s\r\n"), 304);
    assert_int_equal(status_with("if-none-match:%s , \"other\"\r\n"), 304);
    assert_int_equal(status_with("If-None-Match: W/%s\r\n"), 304);
    assert_int_equal(status_with("If-None-Match: *\r\n"), 304);
    assert_int_equal(status_with("If-None-Match: \"a\"\r\nIf-None-Match: %s\r\n"), 304);
    assert_int_equal(status_with("If-None-Match: \"other\"\r\n"), 200);
    assert_int_equal(status_with("If-None-Match: \"a\", x%s\r\n"), 200);
    assert_int_equal(status_with("If-None-Match: \"*\"\r\n"), 200);
    assert_int_equal(status_with("If-None-Match:\r\n"), 200);
    assert_int_equal(status_with("If-Match: %s\r\n"), 200);
}

static void page_says_nothing_is_current_that_is_not_there(void **state)
{
    (void)state;
    assert_memory_equal(ask("GET /none", "If-None-Match: *\r\n"), "HTTP/1.1 404 ", 13);
}

/* A file of three pieces and a bit under root/big, and the answer to a request for it. */
enum { BIG_BYTES = 3 * FILE_PIECE_BYTES + 7 };

static void ask_for_big(struct page_answer *a, const char *method)
{
    static char text[BIG_BYTES + 1];
    struct http_head head;
    char request[64];
    for (size_t i = 0; i < BIG_BYTES; i++)
        text[i] = (char)('a' + i % 23);
    put("root/big", text);
    snprintf(request, sizeof request, "%s /big HTTP/1.1\r\nHost: a\r\n\r\n", method);
    assert_int_equal(
        http_head_parse(bytes_of(request), &(struct http_limits){4096, 16}, &head), 0);
    page_answer(page, &head, a);
    assert_int_equal(a->answer.status, 200);
}

static void page_gives_a_large_file_in_pieces(void **state)
{
    (void)state;
    struct page_answer a;
    ask_for_big(&a, "GET");
    assert_int_equal(a.answer.body.len, FILE_PIECE_BYTES);
    assert_int_equal(a.answer.more, BIG_BYTES - FILE_PIECE_BYTES);
    size_t at = a.answer.body.len;
    while (file_left(a.rest)) {
        struct outframe *f = file_next(a.rest);
        assert_non_null(f);
        struct bytes piece = outframe_bytes(f);
        assert_in_range(piece.len, 1, FILE_PIECE_BYTES);
        for (size_t i = 0; i < piece.len; i++)
            assert_int_equal(piece.at[i], 'a' + (at + i) % 23);
        at += piece.len;
        outframe_unref(f);
    }
    assert_int_equal(at, BIG_BYTES);
    page_answer_deinit(&a);
    ask_for_big(&a, "HEAD");
    assert_null(a.rest);
    assert_int_equal(a.answer.body.len + a.answer.more, BIG_BYTES);
    page_answer_deinit(&a);
}

static void page_gives_no_more_of_a_file_that_has_changed(void **state)
{
    (void)state;
    const char *path = in_base("root/big");
    for (int how = 0; how < 3; how++) {
        struct page_answer a;
        ask_for_big(&a, "GET");
        const struct timespec times[2] = {{1000, 1}, {1000, 1}};
        if (how == 0)
            assert_int_equal(truncate(path, FILE_PIECE_BYTES + 5), 0);
        else if (how == 1)
            assert_int_equal(truncate(path, BIG_BYTES + 5), 0);
        else
            assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        assert_null(file_next(a.rest));
        page_answer_deinit(&a);
    }
    struct page_answer a; /* one that was replaced is the one that was asked for */
    ask_for_big(&a, "GET");
    assert_int_equal(unlink(path), 0);
    put("root/big", "another");
    struct outframe *f = file_next(a.rest);
    assert_non_null(f);
    outframe_unref(f);
    page_answer_deinit(&a);
    unlink(path);
}

static void page_changes_the_etag_with_the_file(void **state)
{
    (void)state;
    char before[100], after[100];
    etag(before);
    put("root/a.css", "longer than before");
    etag(after);
    assert_string_not_equal(before, after);
    put("root/a.css", "root/a.css");
    for (long nanosecond = 1; nanosecond <= 2;
         nanosecond++) { /* of one second and length */
        const struct timespec times[2] = {{1000, nanosecond}, {1000, nanosecond}};
        memcpy(before, after, sizeof before);
        assert_int_equal(utimensat(AT_FDCWD, in_base("root/a.css"), times, 0), 0);
        etag(after);
        assert_string_not_equal(before, after);
    }
}

static void page_open_needs_a_folder(void **state)
{
    (void)state;
    assert_null(page_open(in_base("none")));
    assert_int_equal(errno, ENOENT);
    assert_null(page_open(in_base("secret.txt")));
    assert_int_equal(errno, ENOTDIR);
}

static void page_that_is_none_has_no_files(void **state)
{
    (void)state;
    struct page *kept = page;
    page = NULL;
    assert_memory_equal(ask("GET /", ""), "HTTP/1.1 404 ", 13);
    page = kept;
}

static void page_without_memory_answers_500(void **state)
{
    (void)state;
    struct http_head head;
    static const struct http_limits limits = {4096, 16};
    assert_int_equal(
        http_head_parse(BYTES("GET /a.css HTTP/1.1\r\nHost: a\r\n\r\n"), &limits, &head),
        0);
    size_t n = 1;
    for (;; n++) {
        struct page_answer a;
        alloc_fail_at(n);
        page_answer(page, &head, &a);
        bool failed = alloc_has_failed();
        assert_int_equal(a.answer.status, failed ? 500 : 200);
        page_answer_deinit(&a);
        assert_int_equal(alloc_live(), 0);
        if (!failed)
            break;
    }
    alloc_fail_at(0);
    assert_true(n > 2);
}

static void page_without_descriptors_answers_503(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const char *got = ask("GET /a.css", "");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_memory_equal(got, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(got, "Retry-After: "));
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(page_says_304_to_who_has_the_file),
        cmocka_unit_test(page_changes_the_etag_with_the_file),
        cmocka_unit_test(page_says_nothing_is_current_that_is_not_there),
        cmocka_unit_test(page_gives_a_large_file_in_pieces),
        cmocka_unit_test(page_gives_no_more_of_a_file_that_has_changed),
        cmocka_unit_test(page_without_descriptors_answers_503),
        cmocka_unit_test(page_open_needs_a_folder),
        cmocka_unit_test(page_that_is_none_has_no_files),
        cmocka_unit_test(page_without_memory_answers_500),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    memcpy(UNIT_ROWS(tests, rows, is_answered), others, sizeof others);
    return cmocka_run_group_tests_name("page", tests, make_folder, remove_folder);
}
