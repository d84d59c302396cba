/* field: what a header field of the rules may be called and say, in what they ask
 * services and in what they answer (RFC 9110 5.1, 5.5). Does not know: Lua, or what any
 * field means. Thread: any (pure functions). Owner: nobody. */
#ifndef CHARLUA_WIRE_FIELD_H
#define CHARLUA_WIRE_FIELD_H

#include "base/bytes.h"

enum field_place { FIELD_OF_REQUEST = 1, FIELD_OF_RESPONSE = 2 };

/* Whether `name`, in any case, frames the message or belongs to the connection there:
 * then it is not the rules' to say. */
bool field_is_reserved(struct bytes name, enum field_place place);

/* Whether `name` can be a field's name: a token, not empty. */
bool field_name_is_good(struct bytes name);

/* Whether `value` can be a field's value: no control characters but the tab. */
bool field_value_is_good(struct bytes value);

#endif
