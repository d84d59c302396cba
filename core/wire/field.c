/* field: one table for both directions: what is the connection's own in one of them is
 * not forgotten in the other. */
#include "wire/field.h"

#include "wire/http.h"

static const struct {
    const char *name;
    unsigned places;
} reserved[] = {
    {"Connection", FIELD_OF_REQUEST | FIELD_OF_RESPONSE},
    {"Content-Length", FIELD_OF_REQUEST | FIELD_OF_RESPONSE},
    {"Expect", FIELD_OF_REQUEST},
    {"Host", FIELD_OF_REQUEST},
    {"Keep-Alive", FIELD_OF_REQUEST | FIELD_OF_RESPONSE},
    {"Proxy-Connection", FIELD_OF_REQUEST | FIELD_OF_RESPONSE},
    {"TE", FIELD_OF_REQUEST},
    {"Trailer", FIELD_OF_REQUEST | FIELD_OF_RESPONSE},
    {"Transfer-Encoding", FIELD_OF_REQUEST | FIELD_OF_RESPONSE},
    {"Upgrade", FIELD_OF_REQUEST | FIELD_OF_RESPONSE},
};

bool field_is_reserved(struct bytes name, enum field_place place)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if ((reserved[i].places & (unsigned)place) &&
            bytes_equal_nocase(name, bytes_of(reserved[i].name)))
            return true;
    return false;
}

bool field_name_is_good(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!http_is_token_byte(name.at[i]))
            return false;
    return name.len > 0;
}

bool field_value_is_good(struct bytes value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7F)
            return false;
    return true;
}
