/* http.cases.mjs: the rules of a request's head (RFC 9112, RFC 9110) and of the opening handshake (RFC 6455 4.2).
 *   refused  [rule, status, {variant: bytes}]: answered with that status once, and nothing behind it is read
 *   served   [rule, {variant: [bytes, ...statuses]}]: answered in order, and the connection serves on
 *   upgraded [rule, {variant: head, or [head, {key, protocol}]}]: becomes a WebSocket
 * Field lines that are wrong are tried in a plain request and in an upgrade. */
export const SAMPLE = "dGhlIHNhbXBsZSBub25jZQ=="; /* RFC 6455 1.3 */
export const LIMITS = { head: 4096, fields: 32 };

const raw = (text) => Buffer.from(text, "latin1");
export const request = (...fields) => raw(`${["GET /healthz HTTP/1.1", "Host: h", ...fields].join("\r\n")}\r\n\r\n`);
const line = (first, ...fields) => raw(`${[first, "Host: h", ...fields].join("\r\n")}\r\n\r\n`);

const ASKED = { "Host": "h", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": SAMPLE };
/* An upgrade with other fields: a value, an array for several fields, null for none. */
export function asked(change = {}, first = "GET / HTTP/1.1") {
  const fields = Object.entries({ ...ASKED, ...change }).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((v) => `${name}: ${v}`));
  return raw(`${[first, ...fields].join("\r\n")}\r\n\r\n`);
}

/* The lines `wrong` in a plain request and in an upgrade: in front of other fields and behind them. */
const inHeads = (wrong) => Object.fromEntries(Object.entries(wrong).flatMap(([name, lines]) => [
  [name, request(lines, "X-Next: y")], [`${name}, last`, request(lines)],
  [`${name}, upgrade`, Buffer.from(asked().toString("latin1").replace("Upgrade: ", `${lines}\r\nUpgrade: `), "latin1")]]));
const each = (list, make) => Object.fromEntries(list.map((item) => [item || "empty", make(item)]));
const hosts = (...values) => raw(`GET /healthz HTTP/1.1\r\n${values.map((v) => `${v}\r\n`).join("")}\r\n`);
const HIDDEN = "GET /healthz HTTP/1.1\r\nHost: hidden\r\n\r\n";
const body = (fields, content = HIDDEN) => Buffer.concat([request(...fields), raw(content)]);
const bigger = "x".repeat(LIMITS.head);
const many = (n) => Array.from({ length: n }, (_, i) => `X-${i}: y`);

export const refused = [
  ["rfc9112_2_2_bare_cr_fails", 400, { ...inHeads({ "in a value": "X: a\rb", "in a name": "X\ry: a", "at a value's end": "X: a\r", "two before LF": "X: a\r\r",
    "for a line": "X: a\rY: b" }), "in the request line": line("GET /healthz\rHTTP/1.1"), "after the version": line("GET /healthz HTTP/1.1\r"), "in the target": line("GET /a\rb HTTP/1.1") }],
  ["rfc9112_2_2_bare_lf_fails", 400, { ...inHeads({ "in a value": "X: a\nY: b", "before a name": "\nX: a", "in a name": "X\ny: a", "LF CR": "X: a\n\rY: b" }),
    "after the version": raw("GET /healthz HTTP/1.1\nHost: h\r\n\r\n"), "in the target": line("GET /a\nb HTTP/1.1"), first: raw("\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n") }],
  ["rfc9112_2_2_bare_lf_fails_at_once", 400, { everywhere: raw("GET /healthz HTTP/1.1\nHost: h\n\n"), "in the first line": raw("GET /healthz HTTP/1.1\n"), "in a field": raw("GET /healthz HTTP/1.1\r\nHost: h\n"),
    "for the blank line": raw("GET /healthz HTTP/1.1\r\nHost: h\r\n\n"), "and CRLF": raw("GET /healthz HTTP/1.1\r\nHost: h\n\r\n") }],
  ["rfc9112_2_2_white_space_before_the_first_field_fails", 400, each([" ", "\t", " X: y\r\n"], (space) => raw(`GET /healthz HTTP/1.1\r\n${space}Host: h\r\n\r\n`))],
  ["rfc9112_2_2_not_http_fails_at_once", 400, { "TLS": Buffer.from("160301020001", "hex"), "NUL": raw("\0GET"), space: raw(" GET"), "UTF-8": Buffer.from("é"), brace: raw("{\"type\"") }],
  ["rfc9112_3_request_line_out_of_form_fails", 400, each(["GET  /healthz HTTP/1.1", "GET /healthz  HTTP/1.1", "GET /healthz HTTP/1.1 ", "GET\t/healthz HTTP/1.1", "GET /healthz\tHTTP/1.1",
    "GET /healthz", "GET", "GET HTTP/1.1", "GET  HTTP/1.1", "GET /a b HTTP/1.1", "G(T /healthz HTTP/1.1", "GÉT /healthz HTTP/1.1", "GET /healthz HTTP/1.1 x", "GET /healthz XHTTP/1.1"], (l) => line(l))],
  ["rfc9112_2_3_version_out_of_form_fails", 400, each(["HTTP/1", "HTTP/1.", "HTTP/1.10", "HTTP/01.1", "HTTP/1.a", "HTTP/a.1", "HTTP 1.1", "HTTP/-1.1", "HTTP/1,1", "http/1.1", "Http/1.1", "HTTPS/1.1", "1.1"],
    (version) => line(`GET /healthz ${version}`))],
  ["rfc9112_2_3_other_major_version_is_not_served", 505, each(["HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"], (version) => line(`GET /healthz ${version}`))],
  ["rfc9112_3_2_target_out_of_form_fails", 400, each(["healthz", "example.org", "example.org:80", "*", "?x", "/a#b", "/\x7f", "/\x01", "/\xe9", "http:", "http:/", "http://", "http:///healthz",
    "http://h h/", "ftp://h/healthz", "ws://h/", "http://u@h/healthz"], (target) => line(`GET ${target} HTTP/1.1`))],
  ["rfc9112_3_2_host_is_missing_fails", 400, { request: hosts("X: y"), upgrade: asked({ Host: null }), absolute: raw("GET http://h/healthz HTTP/1.1\r\n\r\n") }],
  ["rfc9112_3_2_two_hosts_fail", 400, { same: hosts("Host: h", "Host: h"), different: hosts("Host: h", "Host: i"), "in any case": hosts("Host: h", "HOST: h"), apart: hosts("Host: h", "X: y", "host: h"),
    "one empty": hosts("Host: h", "Host:"), upgrade: asked({ Host: ["h", "h"] }), "of HTTP/1.0": raw("GET /healthz HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n") }],
  ["rfc9112_3_2_host_out_of_form_fails", 400, each(["", "a b", "a/b", "u@h", "a\tb", "h?", "h#", "\"h\"", "h\\", "é"], (host) => hosts(`Host: ${host}`))],
  ["rfc9112_5_1_space_before_the_colon_fails", 400, inHeads({ space: "X-Y : z", tab: "X-Y\t: z", "of a length": "Content-Length : 0", "of a coding": "Transfer-Encoding : chunked" })],
  ["rfc9112_5_1_name_that_is_no_token_fails", 400, inHeads({ empty: ": z", space: "X Y: z", parenthesis: "X(Y): z", quote: "\"X\": z", slash: "X/Y: z", "8 bits": "X\xe9: z", NUL: "X\0Y: z", at: "@: z", semicolon: "X;: z", DEL: "X\x7f: z" })],
  ["rfc9112_5_1_line_without_colon_fails", 400, inHeads({ word: "Nothing", words: "Nothing at all" })],
  ["rfc9112_5_2_folded_line_fails", 400, inHeads({ space: "X: a\r\n b", tab: "X: a\r\n\tb", "a name": "X: a\r\n Y: b", empty: "X: a\r\n ", "of nothing": "X:\r\n b" })],
  ["rfc9110_5_5_control_character_in_a_value_fails", 400, inHeads(each(["\0", "\x01", "\x07", "\b", "\v", "\f", "\x1b", "\x1f", "\x7f"], (c) => `X: a${c}b`))],
  ["rfc9112_6_1_transfer_encoding_with_content_length_fails", 400, { both: body(["Transfer-Encoding: chunked", "Content-Length: 5"]), reverse: body(["Content-Length: 5", "Transfer-Encoding: chunked"]),
    zero: body(["Content-Length: 0", "Transfer-Encoding: chunked"], `0\r\n\r\n${HIDDEN}`), identity: body(["Content-Length: 0", "Transfer-Encoding: identity"]), upgrade: asked({ "Content-Length": 0, "Transfer-Encoding": "chunked" }) }],
  ["rfc9112_6_1_transfer_encoding_of_http_1_0_fails", 400, { it: raw(`GET /healthz HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`) }],
  ["rfc9112_6_3_content_length_out_of_form_fails", 400, each(["", "+1", "-1", "0x1", "1a", "1 1", "1.0", "1, 2", "0, 0", "ten", "\"0\"", "0;"], (n) => body([`Content-Length: ${n}`]))],
  ["rfc9112_6_3_content_lengths_that_differ_fail", 400, { it: body(["Content-Length: 0", "Content-Length: 5"]), reverse: body(["Content-Length: 5", "Content-Length: 0"]), forms: body(["Content-Length: 0", "Content-Length: 00"]) }],
  ["rfc9112_6_large_body_of_a_plain_request_is_refused", 413, { length: body(["Content-Length: 65537"]), longest: body(["Content-Length: 99999999999999999999999"]),
    chunk: body(["Transfer-Encoding: chunked"], `10001\r\n${HIDDEN}`) }],
  ["rfc9112_6_1_transfer_coding_that_is_unknown_is_refused", 501, { odd: body(["Transfer-Encoding: xchunked"]) }],
  ["rfc9112_6_1_chunked_twice_fails", 501, { listed: body(["Transfer-Encoding: chunked, chunked"]) }],
  ["rfc9110_9_1_other_method_is_not_allowed", 405, each(["POST", "PUT", "DELETE", "TRACE", "PATCH", "OPTIONS", "get", "Get", "GETS", "X"], (method) => line(`${method} /healthz HTTP/1.1`))],
  ["rfc6585_5_head_too_large_is_refused", 431, { "one field": request(`X: ${bigger}`), target: line(`GET /${bigger} HTTP/1.1`), "that never ends": raw(`GET /healthz HTTP/1.1\r\nX: ${bigger}`),
    "in a method": raw(`${bigger}x`), upgrade: asked({ Cookie: bigger }) }],
  ["rfc6585_5_too_many_fields_are_refused", 431, { request: request(...many(LIMITS.fields)), upgrade: asked({ X: many(LIMITS.fields) }) }],

  ["rfc6455_4_2_1_upgrade_needs_get", 405, each(["POST", "PUT", "OPTIONS", "get"], (method) => asked({}, `${method} / HTTP/1.1`))],
  ["rfc6455_4_2_1_upgrade_needs_http_1_1", 400, { it: asked({}, "GET / HTTP/1.0"), "kept alive": asked({ Connection: "Upgrade, keep-alive" }, "GET / HTTP/1.0") }],
  ["rfc6455_4_2_1_upgrade_needs_its_token", 400, each([null, "", "websockets", "web socket", "h2c", "websocket/13"], (Upgrade) => asked({ Upgrade }))],
  ["rfc6455_4_2_1_upgrade_needs_the_connection_token", 400, each([null, "", "close", "keep-alive", "Upgrades", "Up grade", "keep-alive Upgrade"], (Connection) => asked({ Connection }))],
  ["rfc6455_4_2_1_upgrade_needs_one_key_of_16_bytes", 400, { none: asked({ "Sec-WebSocket-Key": null }), two: asked({ "Sec-WebSocket-Key": [SAMPLE, SAMPLE] }),
    listed: asked({ "Sec-WebSocket-Key": `${SAMPLE}, ${SAMPLE}` }), ...each(["", "x", "AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAA==", "dGhlIHNhbXBsZSBub25jZQ",
      "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub2-jZQ==", "dGhlIHNhbXBsZSBub2 jZQ==", "=GhlIHNhbXBsZSBub25jZQ=="], (key) => asked({ "Sec-WebSocket-Key": key })) }],
  ["rfc6455_4_4_other_version_is_told_ours", 426, { none: asked({ "Sec-WebSocket-Version": null }), two: asked({ "Sec-WebSocket-Version": ["13", "13"] }),
    ...each(["", "0", "8", "7", "12", "14", "013", "13, 8", "+13", "13.0", "thirteen"], (version) => asked({ "Sec-WebSocket-Version": version })) }],
  ["rfc6455_4_2_1_upgrade_with_a_body_is_refused", 400, { length: Buffer.concat([asked({ "Content-Length": 5 }), raw("hello")]),
    chunked: Buffer.concat([asked({ "Transfer-Encoding": "chunked" }), raw("0\r\n\r\n")]), hidden: Buffer.concat([asked({ "Content-Length": HIDDEN.length }), raw(HIDDEN)]) }],
  ["rfc6455_10_2_other_origin_is_refused", 403, each(["http://evil.example", "https://h.evil.example", "http://eh", "null", "", "h", "http://", "http://h@evil.example"], (Origin) => asked({ Origin }))],
];

export const served = [
  ["rfc9112_6_body_of_a_plain_request_is_not_read_as_a_request", { length: [body([`Content-Length: ${HIDDEN.length}`]), 200],
    chunked: [body(["Transfer-Encoding: chunked"], `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`), 200],
    "and one behind it": [Buffer.concat([body([`Content-Length: ${HIDDEN.length}`]), request()]), 200, 200] }],
  ["rfc9112_2_2_empty_line_before_a_request_is_passed_over", { one: [Buffer.concat([raw("\r\n"), request()]), 200], three: [Buffer.concat([raw("\r\n\r\n\r\n"), request()]), 200],
    between: [Buffer.concat([request(), raw("\r\n"), request()]), 200, 200] }],
  ["rfc9112_2_3_minor_version_does_not_matter", { "1.2": [line("GET /healthz HTTP/1.2"), 200], "1.9": [line("GET /healthz HTTP/1.9"), 200] }],
  ["rfc9112_3_2_2_absolute_form_is_served", each(["http://h/healthz", "HTTP://H/healthz", "https://h/healthz", "http://h:80/healthz", "http://[::1]:80/healthz", "http://other/healthz?x"], (target) => [line(`GET ${target} HTTP/1.1`), 200])],
  ["rfc9112_3_2_1_query_is_no_part_of_the_path", { it: [line("GET /healthz?a=b&c=/?d HTTP/1.1"), 200], empty: [line("GET /healthz? HTTP/1.1"), 200] }],
  ["rfc9112_3_2_host_has_many_forms", each(["h", "h:80", "127.0.0.1", "[::1]", "[::1]:80", "a.b-c.example", "H", "x_y"], (host) => [hosts(`Host: ${host}`), 200])],
  ["rfc9112_5_names_have_any_case", { it: [hosts("hOsT: h"), 200] }],
  ["rfc9112_5_1_white_space_around_values_is_no_part_of_them", { none: [hosts("Host:h"), 200], much: [hosts("Host: \t h \t "), 200], tabs: [hosts("Host:\th\t"), 200], "nothing else": [request("X: \t "), 200] }],
  ["rfc9110_5_5_values_have_any_other_byte", { "8 bits": [request("X: \xff\x80"), 200], tab: [request("X: a\tb"), 200], empty: [request("X:"), 200], marks: [request("X: :,;=\"(){}"), 200] }],
  ["rfc9110_5_1_names_have_every_token_character", { it: [request("!#$%&'*+-.^_`|~09azAZ: y"), 200] }],
  ["rfc9112_6_3_length_of_nothing_is_no_body", { zero: [request("Content-Length: 0"), 200], zeros: [request("Content-Length: 000"), 200], twice: [request("Content-Length: 0", "Content-Length: 0"), 200] }],
  ["rfc9112_9_3_2_pipelined_requests_are_answered_in_order", { ten: [Buffer.concat(Array.from({ length: 10 }, (_, i) => line(`GET /${i % 2 ? "healthz" : "none"} HTTP/1.1`))), ...Array.from({ length: 10 }, (_, i) => (i % 2 ? 200 : 404))] }],
  ["rfc9112_9_3_http_1_0_may_be_kept_alive", { it: [raw("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 200] }],
  ["rfc9110_7_8_other_upgrade_is_ignored", { h2c: [request("Upgrade: h2c", "Connection: Upgrade"), 200], "with its settings": [request("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"), 200] }],
  ["rfc6585_5_as_many_fields_as_allowed_are_taken", { it: [request(...many(LIMITS.fields - 1)), 200] }],
];

/* Answered, and then the server ends the connection. */
export const ended = [
  ["rfc9112_9_3_http_1_0_ends", 200, { it: raw("GET /healthz HTTP/1.0\r\n\r\n"), "with Host": raw("GET /healthz HTTP/1.0\r\nHost: h\r\n\r\n") }],
  ["rfc9112_9_6_connection_close_ends", 200, { it: request("Connection: close"), listed: request("Connection: x, Close"), "two fields": request("Connection: keep-alive", "Connection: close"),
    "HTTP/1.0": raw("GET /healthz HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n") }],
];

export const upgraded = [
  ["rfc6455_4_2_2_accept_is_the_key_s_digest", { sample: asked(), other: [asked({ "Sec-WebSocket-Key": "zPDr6m4czzUdOFnsxIUEAw==" }), { key: "zPDr6m4czzUdOFnsxIUEAw==" }],
    zeros: [asked({ "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==" }), { key: "AAAAAAAAAAAAAAAAAAAAAA==" }], ones: [asked({ "Sec-WebSocket-Key": "/////////////////////w==" }), { key: "/////////////////////w==" }],
    spaced: asked({ "Sec-WebSocket-Key": `  ${SAMPLE} ` }) }],
  ["rfc6455_4_2_1_upgrade_token_has_any_case_and_company", { ...each(["WebSocket", "WEBSOCKET", "h2c, websocket", "websocket,h2c", ",websocket,"], (Upgrade) => asked({ Upgrade })), "two fields": asked({ Upgrade: ["h2c", "websocket"] }) }],
  ["rfc6455_4_2_1_connection_token_has_any_case_and_company", { ...each(["upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade,keep-alive", "keep-alive , Upgrade"], (Connection) => asked({ Connection })), "two fields": asked({ Connection: ["keep-alive", "Upgrade"] }) }],
  ["rfc6455_4_2_1_fields_have_any_case_and_order", { it: raw(`GET / HTTP/1.1\r\nSEC-WEBSOCKET-KEY: ${SAMPLE}\r\nsec-websocket-version: 13\r\nCONNECTION: upgrade\r\nupgrade: websocket\r\nhost: h\r\n\r\n`) }],
  ["rfc6455_4_2_1_other_fields_are_ignored", { it: asked({ "X-Other": "y", Cookie: "a=b", "User-Agent": "z", "Content-Length": 0 }) }],
  ["rfc6455_4_2_1_any_path_and_query", each(["/", "/chat", "/a/b?c=d&e", "/%41", "http://h/chat", "https://h?x"], (target) => asked({}, `GET ${target} HTTP/1.1`))],
  ["rfc6455_4_2_2_protocol_that_is_not_spoken_is_not_answered", { it: asked({ "Sec-WebSocket-Protocol": "soap, wamp" }), "two fields": asked({ "Sec-WebSocket-Protocol": ["soap", "chat.v0"] }) }],
  ["rfc6455_4_2_2_first_protocol_that_is_spoken_is_chosen", { it: [asked({ "Sec-WebSocket-Protocol": "soap, chat.v1, chat.v2" }), { protocol: "chat.v1" }],
    other: [asked({ "Sec-WebSocket-Protocol": ["soap", "chat.v2"] }), { protocol: "chat.v2" }] }],
  ["rfc6455_10_2_origin_of_the_host_is_let_in", { ...each(["http://h", "https://h", "http://h:8080", "http://H"], (Origin) => asked({ Origin })), none: asked() }],
];
