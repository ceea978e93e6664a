/* The table of commands: what there is, what each takes, what it is for. */
#include "tool.h"

#include <stddef.h>

const tool_command tool_commands[] = {
    {"init", NULL, "", "", "create the store",
     "Does nothing when it is there already.", 0, 0, command_init},
    {"apply", NULL, "FILE…", "dry-run strict at=",
     "apply declarative files (YAML or JSON), all or nothing",
     "Kong's declarative format (services, routes, consumers, plugins) plus "
     "meters,\nfeatures, plans, customers and subscriptions. The lists of all "
     "files are joined,\nreferences may point anywhere, and everything is "
     "applied in one transaction.\nWhat is stored and not in the files stays. "
     "Creates the store when it is missing.\n\n"
     "  --dry-run   shows what would change, changes nothing\n"
     "  --strict    refuses what is not served instead of listing it\n"
     "  --at TIME   as if it were TIME (for imports and replays)\n"
     "  -           as a file name: stdin",
     1, -1, command_apply},

    {"list", NULL, "KIND", "", "every object of a kind",
     "KIND: meter, feature, plan, customer, subscription, invoice, service, "
     "route,\nconsumer, plugin (also in the plural).",
     1, 1, command_list},
    {"show", NULL, "KIND KEY", "version= field=", "one object as JSON",
     "  --version N    of a plan; without it the active one\n"
     "  --field PATH   only that member, for example phases.0.key",
     2, 2, command_show},
    {"feature", "archive", "KEY", "", "take a feature out of service", NULL, 1,
     1, command_feature_archive},
    {"plan", "publish", "KEY", "at= allow-past field=",
     "put the draft of a plan in force", NULL, 1, 1, command_plan_publish},
    {"plan", "archive", "KEY", "", "end the active version of a plan",
     "Subscriptions to it go on.", 1, 1, command_plan_archive},
    {"plan", "remove", "KEY", "version=", "remove a draft or scheduled version",
     NULL, 1, 1, command_plan_remove},
    {"customer", "remove", "KEY", "", "remove a customer",
     "Refused while a subscription runs. What was billed stays.", 1, 1,
     command_customer_remove},
    {"subscription", "cancel", "ID", "at= next-billing-cycle allow-past field=",
     "end a subscription",
     "  --at TIME               at the start of one of its billing periods\n"
     "  --next-billing-cycle    when the current billing period ends\n"
     "Without either: now.",
     1, 1, command_subscription_cancel},
    {"gateway", "remove", "KIND NAME", "",
     "remove a service, route, consumer or plugin", NULL, 2, 2,
     command_gateway_remove},

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
