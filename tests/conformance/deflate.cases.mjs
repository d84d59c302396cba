/* deflate.cases.mjs: RFC 7692 6 and 7 as data.
 *   offers  [rule, {variant: [Sec-WebSocket-Extensions, window]}]: what the server may agree to of an offer (several
 *           fields as an array): the bits of its window, or null: it declines all, and serves without
 *   fails, takes   as in frames.cases.mjs, on connections that agreed to permessage-deflate */
import { binary, frame, more, packed, part, ping, text } from "./peer.mjs";
import { LIMITS } from "./frames.cases.mjs";

const PMD = "permessage-deflate";
const R1 = { rsv: 4 };
const bytes = (hex) => Buffer.from(hex.replace(/ /g, ""), "hex");
const all = (...frames) => Buffer.concat(frames);
const hello = (hex, want = ["Hello"]) => ({ send: text(bytes(hex), R1), want });
const wrong = (name) => `${PMD}; ${name}`;
const declined = (...offers) => Object.fromEntries(offers.map((offer) => [offer || "empty", [offer, null]]));
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const WORDS = "¡猪👋! ".repeat(30);
const FIXED = "f2 48 cd c9 c9 07 00"; /* RFC 7692 7.2.3.1 */

/* `data` packed and cut into frames after each of `cuts` bytes. */
function fragments(make, data, ...cuts) {
  const edges = [0, ...cuts, data.length];
  return edges.slice(1).map((to, i) => {
    const fin = i === edges.length - 2;
    return (i ? part : make)(data.subarray(edges[i], to), { fin, rsv: i ? 0 : 4 });
  });
}

export const offers = [
  ["rfc7692_5_plain_offer_is_accepted", { it: [PMD, 15], "with others": [`x-webkit-deflate-frame, ${PMD}`, 15],
    "in a second field": [["x-unknown", PMD], 15], "in 2 fields": [[PMD, `${PMD}; server_max_window_bits=9`], 15] }],
  ["rfc7692_5_nothing_offered_is_nothing_accepted", { none: [[], null], "another one": ["x-webkit-deflate-frame", null],
    "much the same": ["permessage-deflates", null], "less the same": ["permessage-deflat", null] }],
  ["rfc7692_5_first_valid_offer_is_accepted", { first: [`${PMD}; server_max_window_bits=10, ${PMD}; server_max_window_bits=9`, 10],
    "after an invalid one": [`${PMD}; server_max_window_bits=16, ${PMD}; server_max_window_bits=9`, 9],
    "after an unknown one": [`${PMD}; future=1, ${PMD}`, 15], "after a doubled one": [`${PMD}; server_max_window_bits=9; server_max_window_bits=9, ${PMD}; server_max_window_bits=12`, 12],
    "in the next field": [[`${PMD}; future`, `${PMD}; server_max_window_bits=11`], 11], "last of many": [`${`${PMD}; x, `.repeat(20)}${PMD}`, 15] }],
  ["rfc7692_7_1_unknown_parameter_declines", declined(wrong("future"), wrong("future=1"), wrong("server_max_window_bit=9"),
    wrong("server_no_context_takeover; mux"), wrong("Server"))],
  ["rfc7692_7_1_doubled_parameter_declines", declined(...["server_no_context_takeover", "client_no_context_takeover",
    "client_max_window_bits", "server_max_window_bits=9", "client_max_window_bits=9"].map((p) => wrong(`${p}; ${p}`)),
  wrong("server_max_window_bits=9; server_max_window_bits=10"), wrong("client_max_window_bits; client_max_window_bits=10"))],
  ["rfc7692_7_1_1_no_context_takeover_has_no_value", declined(...["server", "client"].flatMap((who) =>
    ["=1", "=true", "=", "=\"\"", "=0"].map((value) => wrong(`${who}_no_context_takeover${value}`))))],
  ["rfc7692_7_1_1_no_context_takeover_is_agreed_to", { server: [wrong("server_no_context_takeover"), 15], client: [wrong("client_no_context_takeover"), 15],
    both: [wrong("client_no_context_takeover; server_no_context_takeover"), 15] }],
  ["rfc7692_7_1_2_1_server_window_bits_are_honoured", Object.fromEntries(range(8, 15).map((n) => [n, [wrong(`server_max_window_bits=${n}`), n]]))],
  ["rfc7692_7_1_2_1_server_window_bits_may_be_quoted", { it: [wrong('server_max_window_bits="10"'), 10] }],
  ["rfc7692_7_1_2_1_server_window_bits_out_of_form_decline", declined(...["", "=", "=0", "=7", "=16", "=08", "=010", "=-9", "=+9",
    "=9.0", "=nine", "=1e1", "=\"\"", "=99999999999999999999", "=0x9"].map((value) => wrong(`server_max_window_bits${value}`)))],
  ["rfc7692_7_1_2_2_client_window_bits_may_be_offered", Object.fromEntries(["", ...range(8, 15).map((n) => `=${n}`)].map((value) =>
    [value || "without", [wrong(`client_max_window_bits${value}`), 15]]))],
  ["rfc7692_7_1_2_2_client_window_bits_out_of_form_decline", declined(...["=", "=0", "=7", "=16", "=08", "=-9", "=x", "=1000"].map((value) =>
    wrong(`client_max_window_bits${value}`)))],
  ["rfc7692_7_1_all_parameters_together_are_agreed_to", { all: [wrong("server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9"), 9],
    spaced: [`${PMD} ;\tserver_max_window_bits=9 ; client_max_window_bits`, 9], tight: [`${PMD};server_max_window_bits=9;client_max_window_bits`, 9] }],
  ["rfc6455_9_1_malformed_offer_declines", declined("", ",", ",,", ";", "=", wrong("="), wrong("=9"), wrong("; x"), wrong("\"server_max_window_bits\"=9"),
    wrong('server_max_window_bits="9'), wrong('server_max_window_bits=9"'), "permessage deflate", `"${PMD}"`, `${PMD}=1`)],
];

export const fails = [
  ["rfc7692_6_rsv1_of_a_continuation_fails", 1002, { last: all(text(bytes("f2 48"), { rsv: 4, fin: false }), part(bytes("cd c9 c9 07 00"), R1)),
    "of a plain message": all(text("a", more), part(bytes(FIXED), R1)) }],
  ["rfc7692_6_1_rsv1_of_a_control_frame_fails", 1002, { ping: frame(9, packed("x"), R1), pong: frame(10, "", R1), close: frame(8, packed("\x03\xe8"), R1),
    within: all(text(bytes("f2"), { rsv: 4, fin: false }), ping("", R1)) }],
  ["rfc7692_6_rsv2_and_rsv3_fail_with_rsv1", 1002, Object.fromEntries([5, 6, 7].map((rsv) => [rsv, text(bytes(FIXED), { rsv })]))],
  ["rfc7692_7_2_2_what_is_no_deflate_fails", 1007, { "reserved block": text(bytes("07"), R1), "reserved block later": text(bytes(`${FIXED} 07`.replace("07 00 07", "07 06")), R1),
    "stored length and its complement": text(bytes("00 05 00 00 00 48 65 6c 6c 6f 00"), R1), noise: binary(Buffer.alloc(64, 0xff), R1),
    "a distance before the beginning": binary(bytes("4a 04 22 00"), R1), "a bad code table": binary(bytes("05 ff ff ff ff ff ff ff"), R1),
    "plain text": text("Hello, this is no DEFLATE", R1),
    "cut in a block": text(bytes("f2 48 cd"), R1), "cut in a stored block": text(bytes("00 05 00 fa ff 48"), R1), "cut in a code table": binary(bytes("05 c0 81"), R1),
    "cut behind a final block": text(bytes("f3 48 cd c9 c9 07 00 f2 48 cd"), R1) }],
  ["rfc7692_7_1_1_2_message_that_needs_one_which_was_not_compressed_fails", 1007, { it: all(text("Hello"), text(bytes("f2 00 11 00 00"), R1)) }],
  ["rfc6455_8_1_inflated_text_must_be_utf8", 1007, Object.fromEntries(["80", "c080", "eda080", "f4908080", "ff", "c3", "f09f91"].flatMap((hex) => [
    [hex, text(packed(bytes(hex)), R1)], [`${hex} later`, text(packed(Buffer.concat([Buffer.from(WORDS), bytes(hex)])), R1)],
    [`${hex} in fragments`, all(...fragments(text, packed(Buffer.concat([Buffer.from(WORDS), bytes(hex)])), 3, 9))]]))],
  ["rfc6455_10_4_bomb_fails", 1009, { zeros: binary(packed(Buffer.alloc(64 << 20)), R1), text: text(packed("a".repeat(32 << 20)), R1),
    "one byte": binary(packed(Buffer.alloc(LIMITS.message + 1)), R1), "in fragments": all(...fragments(binary, packed(Buffer.alloc(16 << 20)), 1, 100, 1000)),
    "of empty blocks then bytes": binary(Buffer.concat([Buffer.alloc(50_000, bytes("00 00 00 ff ff")), packed(Buffer.alloc(LIMITS.message + 1))]), R1) }],
  ["rfc6455_10_4_compressed_message_over_the_limit_fails_by_its_header", 1009, { it: binary("", { rsv: 4, form: 64, said: LIMITS.message + 1 }) }],
  ["rfc6455_10_4_endless_tiny_fragments_of_a_compressed_message_fail", 1008, {
    it: all(text("", { rsv: 4, fin: false }), ...range(1, LIMITS.fragments).map(() => part("", more))) }],
];

export const takes = [
  /* Some clients agree to forget and do not (RFC 7692 7.1.1.2); they are read all the same. */
  ["rfc7692_7_1_1_2_message_that_needs_the_one_before_is_read", { it: { send: all(text(bytes(FIXED), R1), text(bytes("f2 00 11 00 00"), R1)), want: ["Hello", "Hello"] } }],
  ["rfc7692_6_1_message_may_come_uncompressed", { it: { send: all(text("plain"), text(bytes(FIXED), R1), text("plain")), want: ["plain", "Hello", "plain"] } }],
  ["rfc7692_7_2_3_1_one_compressed_block", { whole: hello(FIXED), twice: { send: all(text(bytes(FIXED), R1), text(bytes(FIXED), R1)), want: ["Hello", "Hello"] } }],
  ["rfc7692_6_1_compressed_message_may_be_fragmented", Object.fromEntries(range(0, 7).map((i) => [`after ${i}`,
    { send: all(...fragments(text, bytes(FIXED), i)), want: ["Hello"] }]))],
  ["rfc7692_6_1_fragments_may_be_empty", { it: { send: all(...fragments(text, bytes(FIXED), 0, 0, 3, 3, 7, 7)), want: ["Hello"] } }],
  ["rfc7692_6_1_control_frames_come_between_fragments", { pings: (() => {
    const [a, b, c] = fragments(text, bytes(FIXED), 2, 5);
    return { send: all(a, ping("1"), b, ping("2"), c), want: ["Hello"], pongs: ["1", "2"] };
  })() }],
  ["rfc7692_7_2_3_3_stored_block", { it: hello("00 05 00 fa ff 48 65 6c 6c 6f 00") }],
  ["rfc7692_7_2_3_4_final_block", { it: hello("f3 48 cd c9 c9 07 00 00"), "then another message": {
    send: all(text(bytes("f3 48 cd c9 c9 07 00 00"), R1), text(bytes(FIXED), R1)), want: ["Hello", "Hello"] },
    "without its padding": hello("f3 48 cd c9 c9 07 00"), "empty and stored": hello("00 05 00 fa ff 48 65 6c 6c 6f 01") }],
  ["rfc7692_7_2_1_blocks_may_follow_a_final_block", { another: hello(`f3 48 cd c9 c9 07 00 ${FIXED}`, ["HelloHello"]), "two final ones": hello("f3 48 cd c9 c9 07 00 f3 48 cd c9 c9 07 00 00", ["HelloHello"]),
    "in fragments": { send: all(...fragments(text, bytes(`f3 48 cd c9 c9 07 00 ${FIXED}`), 3, 7, 8)), want: ["HelloHello"] },
    thousands: { send: binary(Buffer.alloc(100_000, bytes("03 00")), R1), want: [Buffer.alloc(0)] } }],
  ["rfc7692_7_2_3_5_two_blocks", { it: hello("f2 48 05 00 00 00 ff ff ca c9 c9 07 00") }],
  ["rfc7692_7_2_3_6_empty_message", { text: hello("00", [""]), binary: { send: binary(bytes("00"), R1), want: [Buffer.alloc(0)] },
    "final block": hello("03 00 00", [""]), "empty blocks": hello("00 00 00 ff ff 00 00 00 ff ff 00", [""]) }],
  ["rfc7692_7_2_1_any_level_and_window", Object.fromEntries([0, 1, 9].flatMap((level) => [9, 15].map((windowBits) => [`level ${level}, ${windowBits} bits`,
    { send: text(packed(WORDS, { level, windowBits }), R1), want: [WORDS] }])))],
  ["rfc6455_10_4_inflated_message_of_the_limit_is_taken", { it: { send: binary(packed(Buffer.alloc(LIMITS.message, 0xfe)), R1), want: [Buffer.alloc(LIMITS.message, 0xfe)] } }],
  ["rfc6455_8_1_inflated_character_may_be_split_between_fragments", Object.fromEntries(range(1, 12).map((i) => {
    const data = packed(WORDS, { level: 0 });
    return [i, { send: all(...fragments(text, data, 5 + i)), want: [WORDS] }];
  }))],
];
