/* opcode: the numbers of the WebSocket protocol: opcodes and close codes (RFC 6455).
 * Does not know: who sends them, or when.
 * Thread: any (constants only).
 * Owner: nobody. */
#ifndef CHARLUA_WIRE_OPCODE_H
#define CHARLUA_WIRE_OPCODE_H

/* RFC 6455 11.8; 8 and above are control frames, what is missing here is reserved. */
enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

/* RFC 6455 7.4.1 and the IANA registry. WS_CLOSE_NO_STATUS and _ABNORMAL are never on the
 * wire. */
enum ws_close {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_NO_STATUS = 1005,
    WS_CLOSE_ABNORMAL = 1006,
    WS_CLOSE_BAD_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011,
    WS_CLOSE_TRY_LATER = 1013,
};

enum {
    WS_CONTROL_MAX = 125, /* bytes of payload in a control frame, RFC 6455 5.5 */
    WS_RSV1 =
        4, /* among a header's reserved bits: the message is compressed, RFC 7692 6 */
};

#endif
