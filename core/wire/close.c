/* close: RFC 6455 5.5.1 and 7.4, and what IANA has registered since. */
#include "wire/close.h"

#include "wire/opcode.h"
#include "wire/utf8.h"

bool close_code_is_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

int close_payload_parse(struct bytes payload, uint16_t *code, struct bytes *reason)
{
    if (payload.len == 0) {
        *code = WS_CLOSE_NO_STATUS;
        *reason = payload;
        return 0;
    }
    if (payload.len == 1)
        return WS_CLOSE_PROTOCOL;
    unsigned said = (unsigned)payload.at[0] << 8 | payload.at[1];
    if (!close_code_is_valid(said))
        return WS_CLOSE_PROTOCOL;
    struct bytes text = bytes_skip(payload, 2);
    if (!utf8_is_valid(text))
        return WS_CLOSE_BAD_DATA;
    *code = (uint16_t)said;
    *reason = text;
    return 0;
}
