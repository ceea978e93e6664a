/* A stranger's program: the version, and a decimal through the library. */
#include <metering/metering.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    char text[MET_DECIMAL_TEXT_SIZE];
    met_decimal price;

    if (met_decimal_parse("0.10", 4, &price) != MET_OK
        || met_decimal_add(&price, &price, &price) != MET_OK
        || met_decimal_format(&price, text, NULL) != MET_OK
        || strcmp(text, "0.2") != 0) {
        return 1;
    }
    printf("metering %s\n", met_version_string());
    return 0;
}
