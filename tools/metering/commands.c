/* The table of commands: what there is, what each takes, what it is for. */
#include "tool.h"

#include <stddef.h>

const tool_command tool_commands[] = {
    {"init", NULL, "", "", "create the store",
     "Does nothing when it is there already.", 0, 0, command_init},

    {"rate", NULL, "PRICE-FILE [QUANTITY…]", "sweep= currency=",
     "what a price makes of quantities (no store needed)",
     "PRICE-FILE: a price, or a rate card with price and discounts, as YAML "
     "or JSON.\n"
     "  --sweep FROM..TO[:STEP]   one line for each quantity: quantity, total\n"
     "  --currency CODE           USD when nothing says otherwise",
     1, -1, command_rate},

    {"info", NULL, "", "field=", "sizes, tables, readers of the store", NULL,
     0, 0, command_info},
    {"check", NULL, "", "field=", "read and verify everything in the store",
     "Exit status 1 when something is damaged.", 0, 0, command_check},
    {"backup", NULL, "NEW-DIR", "", "copy the store while it is in use",
     "The copy holds the secrets under which keys are hashed.", 1, 1,
     command_backup},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL}};
