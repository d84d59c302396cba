/* frames.cases.mjs: RFC 6455 5 to 8 and 10.4 as data.
 *   fails   [rule, close code, {variant: bytes}]: the bytes end the connection with that Close, and no later ones do
 *   takes   [rule, {variant: {send, want, pongs}}]: what comes back: text as strings, binary as Buffers
 *   closes  [rule, close code, {variant: bytes}]: a Close that is answered with that code */
import { OP, binary, close, frame, more, part, ping, pong, text } from "./peer.mjs";

export const LIMITS = { message: 131072, fragments: 256 };

const bytes = (hex) => Buffer.from(hex.replace(/ /g, ""), "hex");
const all = (...frames) => Buffer.concat(frames);
const variants = (list, make) => Object.fromEntries(list.map((item) => [String(item), make(item)]));
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const reserved = [...range(3, 7), ...range(11, 15)];
const echo = (...payloads) => ({ send: all(...payloads.map((p) => frame(typeof p === "string" ? OP.TEXT : OP.BINARY, p))), want: payloads });
const sized = (n) => [echo("a".repeat(n)), echo(Buffer.alloc(n, 0xfe))];
const WORDS = "¡猪👋!";

/* What no UTF-8 text begins with: RFC 3629 3 and 4. */
const WRONG = {
  "a lone continuation": "80", "an overlong NUL": "c080", "an overlong slash": "c0af", "overlong in 3": "e080",
  "overlong in 4": "f080", "a surrogate": "eda0", "the last surrogate": "edbf", "beyond U+10FFFF": "f490", "F5": "f5",
  "FE": "fe", "FF": "ff", "a broken pair": "c328", "a broken triple": "e28228", "a broken four": "f0288c",
};
/* Text that is cut in a character. */
const CUT = { "1 of 2": "c3", "1 of 3": "e2", "2 of 3": "e282", "1 of 4": "f0", "2 of 4": "f09f", "3 of 4": "f09f91" };
const wrong = (make, of = WRONG) => Object.fromEntries(Object.entries(of).map(([name, hex]) => [name, make(bytes(hex))]));

export const fails = [
  ["rfc6455_5_1_frame_without_mask_fails", 1002, { text: text("x", { mask: null }), empty: text("", { mask: null }),
    ping: ping("x", { mask: null }), close: close(1000, "", { mask: null }), "second frame": all(text("x", more), part("y", { mask: null })) }],
  ["rfc6455_5_2_rsv2_or_rsv3_fails", 1002, Object.fromEntries([1, 2, 3, 5, 6, 7].map((rsv) => [rsv, text("x", { rsv })]))],
  ["rfc6455_5_2_reserved_bits_of_a_continuation_fail", 1002, variants([1, 2, 4], (rsv) => all(text("x", more), part("y", { rsv })))],
  ["rfc6455_5_2_reserved_bits_of_a_control_frame_fail", 1002,
    { ping: ping("x", { rsv: 4 }), pong: pong("x", { rsv: 2 }), close: close(1000, "", { rsv: 1 }), "ping rsv1": ping("", { rsv: 4 }) }],
  ["rfc6455_5_2_reserved_opcode_fails", 1002, variants(reserved, (op) => frame(op, "x"))],
  ["rfc6455_5_2_reserved_opcode_within_a_message_fails", 1002, variants(reserved, (op) => all(text("x", more), frame(op, "y")))],
  ["rfc6455_5_2_reserved_opcode_fails_before_its_payload", 1002, variants(reserved, (op) => frame(op, "", { said: 100 }))],
  ["rfc6455_5_2_length_in_16_bits_must_need_them", 1002, variants([0, 1, 125], (n) => text("a".repeat(n), { form: 16 }))],
  ["rfc6455_5_2_length_in_64_bits_must_need_them", 1002, variants([0, 125, 126, 65535], (n) => binary(Buffer.alloc(n), { form: 64 }))],
  ["rfc6455_5_2_length_must_have_no_highest_bit", 1002, variants([1n << 63n, (1n << 64n) - 1n, (1n << 63n) + 5n],
    (said) => binary("x", { form: 64, said }))],
  ["rfc6455_5_2_length_of_a_control_frame_must_be_minimal", 1002, { ping: ping("x", { form: 16 }), close: close(1000, "", { form: 64 }) }],
  ["rfc6455_5_4_continuation_of_nothing_fails", 1002, { last: part("x"), first: part("x", more), empty: part(""),
    "after a message": all(text("a", more), part("b"), part("c")), "after a whole one": all(text("a"), part("b")),
    "after a ping": all(ping("a"), part("b")) }],
  ["rfc6455_5_4_message_within_a_message_fails", 1002, { text: all(text("a", more), text("b")), binary: all(binary("a", more), binary("b")),
    mixed: all(text("a", more), binary("b", more)), "after a ping": all(text("a", more), ping(), text("b")),
    "after a part": all(text("a", more), part("b", more), text("c")), "of no bytes": all(text("", more), text("")) }],
  ["rfc6455_5_5_control_frame_must_not_be_fragmented", 1002, { ping: ping("x", more), pong: pong("x", more), close: close(1000, "", more),
    empty: ping("", more), "and continued": all(ping("x", more), part("y")), "in a message": all(text("a", more), ping("b", more)) }],
  ["rfc6455_5_5_control_frame_of_126_bytes_fails", 1002, variants([126, 127, 65535, 65536].flatMap((n) => [OP.CLOSE, OP.PING, OP.PONG].map((op) => [op, n])),
    ([op, said]) => frame(op, "", { said }))],
  ["rfc6455_5_5_1_close_of_one_byte_fails", 1002, variants([0x00, 0x03, 0x20, 0xff], (byte) => frame(OP.CLOSE, Buffer.of(byte)))],
  ["rfc6455_5_5_1_close_reason_must_be_utf8", 1007, wrong((b) => close(1000, b))],
  ["rfc6455_5_5_1_close_reason_must_end_with_its_character", 1007, wrong((b) => close(1000, Buffer.concat([Buffer.from("bye"), b])), CUT)],
  ["rfc6455_7_4_1_close_code_that_is_never_sent_fails", 1002, variants([1004, 1005, 1006, 1015], (code) => close(code))],
  ["rfc6455_7_4_1_close_code_that_is_not_defined_fails", 1002, variants([1016, 1100, 2000, 2999], (code) => close(code, "x"))],
  ["rfc6455_7_4_2_close_code_out_of_range_fails", 1002, variants([0, 1, 999, 5000, 65535], (code) => close(code, "x"))],
  ["rfc6455_5_6_text_must_be_utf8", 1007, wrong((b) => text(b))],
  ["rfc6455_5_6_text_must_be_utf8_after_ascii", 1007, wrong((b) => text(Buffer.concat([Buffer.from("0123456789abcdef".repeat(3)), b])))],
  ["rfc6455_8_1_text_must_end_with_its_character", 1007, wrong((b) => text(b), CUT)],
  ["rfc6455_8_1_fragmented_text_must_end_with_its_character", 1007, wrong((b) => all(text("a", more), part(b)), CUT)],
  ["rfc6455_8_1_text_cut_in_a_character_by_an_empty_fragment_fails", 1007, wrong((b) => all(text(b, more), part("", more), part("")), CUT)],
  ["rfc6455_8_1_wrong_byte_fails_at_once_in_an_unfinished_frame", 1007, wrong((b) => text(b, { said: 1000 }))],
  ["rfc6455_8_1_wrong_byte_fails_at_once_in_an_unfinished_message", 1007, wrong((b) => text(b, more))],
  ["rfc6455_8_1_wrong_byte_fails_at_once_in_an_unfinished_fragment", 1007, wrong((b) => all(text("a", more), part(b, { said: 60000, fin: false })))],
  ["rfc6455_8_1_character_continued_wrongly_in_the_next_fragment_fails", 1007, wrong((b) => all(text(b, more), part("a", more)), CUT)],
  ["rfc6455_8_1_ping_within_a_character_mends_nothing", 1007, wrong((b) => all(text(b, more), ping("x"), part("a", more)), CUT)],
  ["rfc6455_10_4_frame_over_the_limit_fails_by_its_header", 1009, variants([LIMITS.message + 1, 2 ** 31, 2 ** 32, (1n << 63n) - 1n],
    (said) => binary("", { form: 64, said }))],
  ["rfc6455_10_4_message_over_the_limit_fails_by_its_last_header", 1009, {
    "one more": all(binary(Buffer.alloc(LIMITS.message), more), part("", { said: 1 })),
    halves: all(binary(Buffer.alloc(LIMITS.message / 2), more), part("", { said: LIMITS.message / 2 + 1 })),
    "a length that overflows a sum": all(binary("x", more), part("", { form: 64, said: (1n << 63n) - 1n })) }],
  ["rfc6455_10_4_endless_tiny_fragments_fail", 1008, {
    "of one byte": all(text("a", more), ...range(1, LIMITS.fragments).map(() => part("a", more))),
    "of none": all(binary("", more), ...range(1, LIMITS.fragments).map(() => part("", more))),
    "with pings between": all(text("", more), ...range(1, LIMITS.fragments).map(() => all(pong("x"), part("a", more)))),
    "that would end": all(text("a", more), ...range(2, LIMITS.fragments).map(() => part("a", more)), part("")) }],
];

export const takes = [
  ["rfc6455_5_2_length_has_three_forms", Object.fromEntries([0, 1, 125, 126, 127, 65535, 65536, 65537].flatMap((n) =>
    sized(n).map((c, i) => [`${n} ${i ? "binary" : "text"}`, c])))],
  ["rfc6455_5_3_any_mask_is_taken", variants(["00000000", "ffffffff", "00ff00ff", "80000001", "37fa213d"], (hex) =>
    ({ send: text("with any mask", { mask: bytes(hex) }), want: ["with any mask"] }))],
  ["rfc6455_5_3_mask_begins_anew_with_each_frame", { of_3: { send: all(text("abc", more), part("def", more), ping("ghi"), part("jkl")),
    want: ["abcdefjkl"], pongs: ["ghi"] } }],
  ["rfc6455_5_4_fragments_are_one_message", {
    text: { send: all(text("uno ", more), part("dos ", more), part("tres")), want: ["uno dos tres"] },
    binary: { send: all(binary("uno ", more), part("dos ", more), part("tres")), want: [Buffer.from("uno dos tres")] },
    two: { send: all(text("a", more), part("b"), text("c", more), part("d")), want: ["ab", "cd"] } }],
  ["rfc6455_5_4_fragments_may_be_empty", {
    first: { send: all(text("", more), part("x")), want: ["x"] }, last: { send: all(text("x", more), part("")), want: ["x"] },
    all: { send: all(binary("", more), part("", more), part("")), want: [Buffer.alloc(0)] } }],
  ["rfc6455_5_4_control_frames_come_between_fragments", { pings: {
    send: all(text("a", more), ping("1"), part("b", more), pong("no"), ping("2"), ping(""), part("c")), want: ["abc"], pongs: ["1", "2", ""] } }],
  ["rfc6455_5_4_ping_within_a_message_is_answered_before_its_end", { ping: { send: all(text("a", more), ping("now")), pongs: ["now"], finish: part("z"), want: ["az"] } }],
  ["rfc6455_5_4_as_many_fragments_as_allowed_are_one_message", { tiny: {
    send: all(text("a", more), ...range(3, LIMITS.fragments).map(() => part("a", more)), part("a")), want: ["a".repeat(LIMITS.fragments)] } }],
  ["rfc6455_5_5_2_ping_is_answered_with_its_payload", variants([0, 1, 4, 124, 125], (n) => {
    const payload = Buffer.alloc(n, 0xff);
    return { send: ping(payload), pongs: [payload] };
  })],
  ["rfc6455_5_5_2_pings_are_answered_in_order", { ten: { send: all(...range(1, 10).map((i) => ping(String(i)))), pongs: range(1, 10).map(String) } }],
  ["rfc6455_5_5_3_pong_that_nobody_asked_for_is_ignored", { three: { send: all(pong(""), pong("x"), pong(Buffer.alloc(125, 0xff))) } }],
  ["rfc6455_5_6_text_is_any_utf8", { words: echo(WORDS), "first and last": echo("\u0000\u007f\u0080\u07ff\u0800\ud7ff\ue000\ufffd\uffff\u{10000}\u{10ffff}"),
    "no characters": echo("\ufdd0\ufffe\u{1fffe}"), NUL: echo("a\0b"), "a byte order mark": echo("\ufeffx"), long: echo("a".repeat(4000) + WORDS) }],
  ["rfc6455_5_6_binary_is_any_bytes", { all: echo(Buffer.from(range(0, 255))), "not UTF-8": echo(bytes("c080edff")) }],
  ["rfc6455_5_6_messages_may_be_empty", { both: echo("", Buffer.alloc(0), "x", "") }],
  ["rfc6455_8_1_character_may_be_split_between_fragments", variants(range(0, Buffer.byteLength(WORDS)), (i) => {
    const b = Buffer.from(WORDS);
    return { send: all(text(b.subarray(0, i), more), ping("x"), part(b.subarray(i))), want: [WORDS], pongs: ["x"] };
  })],
  ["rfc6455_6_2_messages_come_in_order", { fifty: echo(...range(1, 50).map((i) => (i % 2 ? `n${i}` : Buffer.from(`n${i}`)))) }],
  ["rfc6455_10_4_message_of_the_limit_is_taken", { whole: echo(Buffer.alloc(LIMITS.message, 0xfe)),
    parts: { send: all(text("a".repeat(LIMITS.message - 1), more), part("b")), want: ["a".repeat(LIMITS.message - 1) + "b"] } }],
];

export const closes = [
  ["rfc6455_5_5_1_close_is_answered_with_its_code", 1000, { bare: close(1000), reasoned: close(1000, "bye"), full: close(1000, "x".repeat(123)),
    words: close(1000, WORDS) }],
  ...[1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].map((code) => [`rfc6455_7_4_1_close_${code}_is_answered_with_it`, code, { it: close(code, "x") }]),
  ...[3000, 3999, 4000, 4999].map((code) => [`rfc6455_7_4_2_close_${code}_is_answered_with_it`, code, { it: close(code) }]),
  ["rfc6455_7_1_5_close_without_code_is_answered_without", 1005, { empty: close() }],
  ["rfc6455_5_5_1_close_is_answered_within_a_message", 1000, { text: all(text("a", more), close(1000)), character: all(text(bytes("f09f"), more), close(1000)) }],
  ["rfc6455_5_5_1_nothing_after_a_close_is_handled", 1000, { ping: all(close(1000), ping("x")), text: all(close(1000), text("x")),
    wrong: all(close(1000), frame(15, "x"), Buffer.from("garbage")), "two of them": all(close(1000), close(1001)) }],
];
