/* Run while the build is configured: the decimal archive comes in variants
 * that share symbol names and link silently; in the right one 1/3 is inexact.
 * In: nothing. Out: exit status 0 when the archive can be used. */
#define DECIMAL_CALL_BY_REFERENCE 0
#define DECIMAL_GLOBAL_ROUNDING 0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS 0
#include <bid_conf.h>
#include <bid_functions.h>

int main(void)
{
    BID_UINT128 one = {{1, (BID_UINT64)6176 << 49}};
    BID_UINT128 three = {{3, (BID_UINT64)6176 << 49}};
    unsigned flags = 0;
    BID_UINT128 third = bid128_div(one, three, 0, &flags);

    return flags == 0x20 && third.w[0] != 0 ? 0 : 1;
}
