/* fuzz_proxy: the PROXY header: a shorter input asks for more or is refused, never taken
 * for something else; what is surely missing of it does not reach beyond its end. */
#include "fuzz.h"

#include "wire/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct addr from;
    struct proxy_said said;
    struct cidr range;
    char text[ADDR_TEXT_MAX];
    memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
    text[size < sizeof text - 1 ? size : sizeof text - 1] = 0;
    (void)cidr_parse(text, &range);
    (void)addr_parse(in, &from);
    if (!proxy_is_begun(in))
        return 0;
    int n = proxy_parse(in, &said);
    REQUIRE(n >= -1 && n <= (int)size);
    for (size_t cut = 1; n > 0 && cut < (size_t)n; cut++) {
        struct bytes begun = {data, cut};
        REQUIRE(proxy_parse(begun, &said) <= 0);
        REQUIRE(proxy_missing(begun) >= 1 && cut + proxy_missing(begun) <= (size_t)n);
    }
    return 0;
}
