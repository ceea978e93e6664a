/* The table of commands: what there is, what each takes, what it is for. */
#include "tool.h"

#include <stddef.h>

/* What both commands on usage take. */
#define USAGE_OPTIONS                                                      \
    "meter= feature= customer=+ subject=+ from= to= window= time-zone= "   \
    "group-by=+ filter=+ settle"
#define USAGE_HELP                                                         \
    "  --meter KEY          or --feature KEY, which brings its filters\n"  \
    "  --customer KEY       usage of its subjects; repeated: by customer\n" \
    "  --subject NAME       of this subject; may be repeated\n"            \
    "  --from, --to TIME    from inclusive, to exclusive, on whole minutes\n" \
    "  --window UNIT        minute, hour, day or month\n"                  \
    "  --time-zone NAME     whose days and months; UTC\n"                  \
    "  --group-by A,B       dimensions, subject or customer_id\n"          \
    "  --filter NAME=VALUE  only such usage; also !=, ~ (contains), !~, <,\n" \
    "                       <=, >, >= and NAME:JSON; may be repeated\n"    \
    "  --settle             settle first\n"

#define DOCUMENT_HELP "FILE: a document in YAML or JSON; - for stdin.\n"
#define AUDIT_HELP "  --reason TEXT, --actor NAME    for the audit"
#define TIMING_HELP                                                         \
    "  --at TIME               at the start of one of its billing periods\n" \
    "  --next-billing-cycle    when the current billing period ends\n"       \
    "  --allow-past            for imports and replays\n"                    \
    "Without a time: now."

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
    {"export", NULL, "", "field=",
     "everything that is configured, as a document for apply",
     "Applied to an empty store it makes one whose export is the same. Usage, "
     "invoices\nand keys of credentials are not in it.",
     0, 0, command_export},

    {"list", NULL, "KIND [CUSTOMER]", "", "every object of a kind",
     "KIND: meter, feature, plan, customer, subscription, entitlement, grant, "
     "invoice,\nservice, route, consumer, consumer_group, plugin (also in the "
     "plural). A plugin\nis named with its scope: \"rate-limiting "
     "plan=premium\".\n"
     "CUSTOMER: only its subscriptions or invoices; its entitlements, its "
     "grants.",
     1, 2, command_list},
    {"show", NULL, "KIND KEY [FEATURE]", "version= at= field=",
     "one object as JSON",
     "KEY of an entitlement: the customer's, and FEATURE.\n"
     "  --version N    of a plan; without it the active one\n"
     "  --at TIME      a plan, subscription or entitlement as it is then\n"
     "  --field PATH   only that member, for example phases.0.key",
     2, 3, command_show},
    {"meter", "put", "FILE", "field=", "create or change a meter",
     DOCUMENT_HELP, 1, 1, command_meter_put},
    {"feature", "put", "FILE", "field=", "create or rename a feature",
     DOCUMENT_HELP, 1, 1, command_feature_put},
    {"plan", "put", "FILE", "field=",
     "create or replace the draft of a plan",
     DOCUMENT_HELP "A draft that could not be published says why in its "
                   "validation_errors.",
     1, 1, command_plan_put},
    {"customer", "put", "FILE", "field=", "create or replace a customer",
     DOCUMENT_HELP, 1, 1, command_customer_put},
    {"subscription", "create", "FILE", "allow-past field=",
     "subscribe a customer to a plan", DOCUMENT_HELP, 1, 1,
     command_subscription_create},
    {"meter", "remove", "KEY", "", "remove a meter",
     "Refused while a feature in service measures it. What is settled stays.",
     1, 1, command_meter_remove},
    {"feature", "archive", "KEY", "", "take a feature out of service", NULL, 1,
     1, command_feature_archive},
    {"plan", "next", "KEY", "field=",
     "the next draft: a copy of the highest version", NULL, 1, 1,
     command_plan_next},
    {"plan", "publish", "KEY", "at= allow-past field=",
     "put the draft of a plan in force", NULL, 1, 1, command_plan_publish},
    {"plan", "archive", "KEY", "", "end the active version of a plan",
     "Subscriptions to it go on.", 1, 1, command_plan_archive},
    {"plan", "remove", "KEY", "version=", "remove a version that is not active",
     NULL, 1, 1, command_plan_remove},
    {"customer", "remove", "KEY", "", "remove a customer",
     "Refused while a subscription runs. What was billed stays.", 1, 1,
     command_customer_remove},
    {"customer", "rename", "KEY NEW", "reason= actor= field=",
     "another key for a customer",
     "The old key stays one of its subjects. Invoices are found by the new "
     "key.\n" AUDIT_HELP, 2, 2, command_customer_rename},
    {"customer", "erase", "KEY", "reason= actor= field=",
     "forget who a customer was",
     "Totals of usage and issued invoices stay, its name, subjects, events and "
     "API keys\ngo. Refused while a subscription runs or something is not "
     "billed.\n" AUDIT_HELP, 1, 1, command_customer_erase},
    {"subject", "rename", "NAME NEW", "reason= actor= field=",
     "another name for a subject and its usage", AUDIT_HELP, 2, 2,
     command_subject_rename},
    {"subject", "erase", "NAME", "reason= actor= field=",
     "forget a subject; its usage stays, under another name", AUDIT_HELP, 1, 1,
     command_subject_erase},
    {"audit", NULL, "", "",
     "who renamed, erased or gave another key to whom, and why", NULL, 0, 0,
     command_audit},
    {"subscription", "cancel", "ID", "at= next-billing-cycle allow-past field=",
     "end a subscription",
     TIMING_HELP, 1, 1, command_subscription_cancel},
    {"subscription", "continue", "ID", "field=",
     "take the cancellation of a subscription back", NULL, 1, 1,
     command_subscription_continue},
    {"subscription", "change", "ID FILE",
     "at= next-billing-cycle allow-past field=",
     "another plan: one subscription ends, the next begins there",
     DOCUMENT_HELP TIMING_HELP, 2, 2, command_subscription_change},
    {"subscription", "migrate", "ID",
     "version= phase= at= next-billing-cycle allow-past field=",
     "a later version of the same plan",
     "  --version N             without it the highest one in force\n"
     "  --phase KEY             begins with this phase of it\n" TIMING_HELP,
     1, 1, command_subscription_migrate},
    {"subscription", "restore", "ID", "field=",
     "take a change back before it takes effect",
     "Removes what is scheduled for the customer.", 1, 1,
     command_subscription_restore},
    {"subscription", "remove", "ID", "",
     "remove a subscription that has not begun", NULL, 1, 1,
     command_subscription_remove},
    {"subscription", "show", "ID", "at= field=",
     "a subscription with its status, phase and period at an instant",
     "  --at TIME    not now", 1, 1, command_subscription_show},
    {"credential", "rotate", "CONSUMER",
     "id= grace= ttl= key= reason= actor= field=",
     "another API key for a consumer in place of one",
     "The answer has the new key: it is told once.\n"
     "  --id ID        of the key, when the consumer has several (metering "
     "show consumer)\n"
     "  --grace TIME   how long the old one works on: 24h, 7d; else it is "
     "revoked at once\n"
     "  --ttl TIME     how long the new one works; else as the old one, 0: for "
     "ever\n"
     "  --key FILE     the new key is its first line; - for stdin\n"
     AUDIT_HELP, 1, 1, command_credential_rotate},
    {"gateway", "remove", "KIND NAME", "",
     "remove a service, route, consumer, group or plugin", NULL, 2, 2,
     command_gateway_remove},

    {"event", "ingest", "FILE", "batch= cursor= generation=",
     "take in events with ids (CloudEvents), each once",
     "FILE: one event a line, or an array of events; - for stdin. Exit status "
     "1 when\none is neither accepted nor known already.\n"
     "  --batch N         events of one transaction (1000)\n"
     "  --cursor NAME     remembers how far FILE was read; the same command "
     "goes on there\n"
     "  --generation N    FILE began anew: a greater number than before",
     1, 1, command_event_ingest},
    {"event", "list", "", "from= to= subject= type= limit= cursor=",
     "events that are retained, by their time",
     "  --from, --to TIME    from inclusive, to exclusive\n"
     "  --subject, --type    only those\n"
     "  --limit N            at most 1,000 (100)\n"
     "  --cursor TEXT        goes on behind a list, as its --json says",
     0, 0, command_event_list},
    {"event", "explain", "SOURCE ID", "field=",
     "why an event is or is not in a number", NULL, 2, 2,
     command_event_explain},
    {"event", "retract", "SOURCE ID", "reason= actor= field=",
     "take back an event that is retained",
     "  --reason TEXT    why\n"
     "  --actor NAME     who says so",
     2, 2, command_event_retract},
    {"event", "settings", "", "late-after= future-after= retain= field=",
     "how events are taken in, and what became of them",
     "Without options it shows them. What is not given gets its default.\n"
     "  --late-after P32D     older events are refused\n"
     "  --future-after P1D    so are events that far ahead\n"
     "  --retain P90D         keeps events as they came that long",
     0, 0, command_event_settings},
    {"settle", NULL, "", "follow interval= compact field=",
     "move what recorders counted into the store",
     "  --follow           again and again, until SIGINT or SIGTERM\n"
     "  --interval TIME    between two passes: 500ms, 1s (default), 1m\n"
     "  --compact          \"metering compact\", too; once a minute",
     0, 0, command_settle},
    {"compact", NULL, "", "as-of= records-max= field=",
     "fold old usage into hours and days",
     "Answers stay the same. \"metering usage settings\" says what is old.\n"
     "  --as-of TIME       ages are counted from it, not from now\n"
     "  --records-max N    stop after so many records",
     0, 0, command_compact},
    {"usage", "adjust", "ID",
     "meter= subject= dimension=+ time= value= reason= actor= field=",
     "correct the usage of one meter",
     "The same ID again changes nothing.\n"
     "  --meter KEY, --subject NAME, --time TIME    whose, and when\n"
     "  --dimension NAME=VALUE                      may be repeated\n"
     "  --value AMOUNT                              signed\n"
     "  --reason TEXT, --actor NAME                 why, and who says so",
     1, 1, command_usage_adjust},
    {"usage", "query", "",
     USAGE_OPTIONS " csv field=",
     "usage of a meter or a feature",
     USAGE_HELP
     "  --csv                RFC 4180, row by row",
     0, 0, command_usage_query},
    {"usage", "plot", "",
     USAGE_OPTIONS " ascii",
     "usage as bars in the terminal",
     USAGE_HELP
     "  --ascii              # instead of blocks, also where the locale is no "
     "UTF-8",
     0, 0, command_usage_plot},
    {"usage", "settings", "", "keep-minutes= keep-hours= field=",
     "how long usage is kept by the minute and by the hour",
     "Without options it shows them. What is not given gets its default.\n"
     "  --keep-minutes P35D    then \"metering compact\" makes hours of them\n"
     "  --keep-hours P400D     and days of those",
     0, 0, command_usage_settings},
    {"entitlement", "show", "CUSTOMER [FEATURE]", "at= field=",
     "what a customer may use, and what is left",
     "Counts settled usage.\n  --at TIME    at another time than now", 1, 2,
     command_entitlement_show},
    {"entitlement", "balance", "CUSTOMER [FEATURE]", "at= field=",
     "what is left of one allowance, or of all",
     "Counts settled usage. Of one it is the balance alone; with --json all "
     "that\n\"entitlement show\" says.\n"
     "  --at TIME    at another time than now", 1, 2,
     command_entitlement_balance},
    {"entitlement", "history", "CUSTOMER FEATURE",
     "from= to= window= segments field=",
     "how an allowance was used",
     "  --from TIME --to TIME    this usage period up to now\n"
     "  --window hour|day        in UTC; day\n"
     "  --segments               by usage period instead",
     2, 2, command_entitlement_history},
    {"entitlement", "create", "FILE", "allow-past field=",
     "entitle a customer to a feature beside its subscriptions",
     DOCUMENT_HELP, 1, 1, command_entitlement_create},
    {"entitlement", "override", "FILE", "allow-past field=",
     "the same, and the one in force ends there", DOCUMENT_HELP, 1, 1,
     command_entitlement_override},
    {"entitlement", "remove", "CUSTOMER FEATURE", "",
     "end an entitlement that stands alone",
     "The one in force, or the next one, which then never is.", 2, 2,
     command_entitlement_remove},
    {"entitlement", "reset", "CUSTOMER FEATURE",
     "at= retain-anchor overage= field=", "begin a usage period by hand",
     "  --at TIME                at another time than now\n"
     "  --retain-anchor          later periods begin when they would have\n"
     "  --overage keep|forget    not as the entitlement says",
     2, 2, command_entitlement_reset},
    {"entitlement", "simulate", "FILE", "",
     "what would be left of an entitlement and its grants; needs no store",
     "FILE: {\"entitlement\", \"grants\", \"resets\", \"usage\", \"at\"}, as "
     "YAML or JSON;\n- for stdin.",
     1, 1, command_entitlement_simulate},
    {"grant", "create", "FILE", "allow-past field=",
     "grant a customer units of a feature", DOCUMENT_HELP, 1, 1,
     command_grant_create},
    {"grant", "list", "CUSTOMER [FEATURE]", "",
     "grants of a customer, also those that are over", NULL, 1, 2,
     command_grant_list},
    {"grant", "show", "ID", "field=", "one grant", NULL, 1, 1,
     command_grant_show},
    {"grant", "void", "ID", "at= allow-past field=",
     "end a grant: what is left of it is gone",
     "  --at TIME       at another time than now\n"
     "  --allow-past    before the usage period of now, too",
     1, 1, command_grant_void},
    {"billing", "run", "", "as-of= threads= follow interval= field=",
     "bill all customers: drafts, invoices, what is overdue",
     "Settles, makes drafts of what is due, waits for late usage, issues.\n"
     "One that was killed goes on where it was; two at once do no harm.\n"
     "  --as-of TIME     what was due then, and dated so\n"
     "  --threads N      1 to 64, else one more than there are\n"
     "                   processors, and at most 8: one of them writes\n"
     "  --follow         again and again, until SIGINT or SIGTERM\n"
     "  --interval 60s   between two of them",
     0, 0, command_billing_run},
    {"billing", "profile", "put|show|remove [FILE]", "customer= field=",
     "how customers are billed",
     "put FILE           as YAML or JSON; - for stdin\n"
     "  --customer KEY   of one customer, laid over the default",
     1, 2, command_billing_profile},
    {"invoice", "preview", "CUSTOMER", "as-of= due field=",
     "what the next invoice would be",
     "  --as-of TIME   at another time than now\n"
     "  --due          only what is due, without the period that runs",
     1, 1, command_invoice_preview},
    {"invoice", "finalize", "CUSTOMER", "as-of= interim dry-run field=",
     "issue an invoice of what is due, with the next number",
     "  --as-of TIME   what was due then\n"
     "  --interim      also of the periods that run, up to this minute\n"
     "  --dry-run      shows it, issues nothing",
     1, 1, command_invoice_finalize},
    {"invoice", "list", "[CUSTOMER]", "status=",
     "drafts, invoices and credit notes",
     "  --status WORD  only those that are draft, issuing, issued,\n"
     "                 payment_processing, overdue, paid, uncollectible,\n"
     "                 voided, delete or deleted",
     0, 1, command_invoice_list},
    {"invoice", "act", "ID ACTION", "field=",
     "the next step of an invoice",
     "ACTION is one of the document's available_actions: approve, collect,\n"
     "update, delete, void, next, authorized, paid, payment_failed,\n"
     "action_required, overdue, uncollectible, retry",
     2, 2, command_invoice_act},
    {"invoice", "void", "ID", "field=", "cancel an issued invoice",
     "What it billed is not billed again.", 1, 1, command_invoice_act},
    {"invoice", "recompute", "ID", "usage field=",
     "make an invoice again from what it stores",
     "Fails when it does not come out the same, to the byte.\n"
     "  --usage    what usage that came in later would change",
     1, 1, command_invoice_recompute},
    {"invoice", "credit", "ID", "amount= line=+ reason= field=",
     "give an issued invoice back, or a part of it",
     "  --reason TEXT      why (required)\n"
     "  --amount AMOUNT    a part of it, taxes included\n"
     "  --line N[=AMOUNT]  only this line, counted from 1, or a part of it",
     1, 1, command_invoice_credit},
    {"invoice", "show", "ID", "field=", "one invoice, by id or number", NULL,
     1, 1, command_invoice_show},
    {"invoice", "render", "ID", "text html csv",
     "one invoice for people or for spreadsheets",
     "ID: by id or number; -: a document from stdin, no store needed.\n"
     "  --text    80 columns (default)\n"
     "  --html    a page that stands alone, for screen and paper\n"
     "  --csv     a header, and a row for every line\n"
     "  --json    the document",
     1, 1, command_invoice_render},
    {"invoice", "export", "[CUSTOMER]", "csv",
     "all issued invoices, as rows of lines or one document a line",
     "  --csv     a row for every line (default)\n"
     "  --json    a document a line",
     0, 1, command_invoice_export},

    {"notice", "rule", "put|list|show|remove [FILE…|KEY]", "field=",
     "what is told about balances and usage periods",
     "put FILE…    a rule as YAML or JSON, by its key; - for stdin\n"
     "list         all rules\n"
     "show KEY     one of them\n"
     "remove KEY   what it has told stays in the queue",
     1, -1, command_notice_rule},
    {"notice", "list", "", "limit=", "notices that wait, without taking them",
     "  --limit N    at most 1000 (100)", 0, 0, command_notice_list},
    {"notice", "next", "", "limit= lease=",
     "take the oldest notices; \"notice ack\" forgets them",
     "  --limit N       at most 1000 (1)\n"
     "  --lease TIME    until then nobody else gets them: 60s (default), 5m",
     0, 0, command_notice_next},
    {"notice", "ack", "ID…", "older", "forget notices",
     "  --older    and all older ones", 1, -1, command_notice_ack},
    {"notice", "follow", "", "interval= lease= once keep",
     "every notice as a line of JSON, until SIGINT or SIGTERM",
     "Each is acknowledged when it is written.\n"
     "  --interval TIME    between two looks: 1s (default), 500ms\n"
     "  --lease TIME       of what is being written: 60s (default)\n"
     "  --once             ends when none waits\n"
     "  --keep             acknowledges nothing",
     0, 0, command_notice_follow},

    {"rate", NULL, "PRICE-FILE [QUANTITY…]",
     "check sweep= plot compare= currency= requests=",
     "what a price makes of quantities (no store needed)",
     "PRICE-FILE: a price, or a rate card with price and discounts, as YAML "
     "or JSON.\n"
     "  --check                   all that is wrong about it, one line each\n"
     "  --sweep FROM..TO[:STEP]   one line for each quantity: quantity, total\n"
     "  --plot                    with --sweep: bars, as many as fit a "
     "screen\n"
     "  --compare PRICE-FILE      also its total, and the difference; one line "
     "for each quantity\n"
     "  --requests FILE           NDJSON of {\"quantity\", \"credits\"?, "
     "\"booked\"?, …}, what\n"
     "                            met_price_rate takes; prints one answer a "
     "line\n"
     "  --currency CODE           USD when nothing says otherwise",
     1, -1, command_rate},
    {"limit", "replay", "FILE", "limit=+ algorithm= count-denied capacity=",
     "decisions of the limiter for recorded requests (no store needed)",
     "FILE: NDJSON of {\"time\", \"key\", \"cost\"?} in the order of time, "
     "- for stdin.\nPrints one decision a line.\n"
     "  --limit N/TIME      5/minute, 1000/1h; several: all or nothing\n"
     "  --algorithm NAME    sliding (default), sliding_counter, fixed_epoch, "
     "calendar_utc\n                      or gcra\n"
     "  --count-denied      refused requests weigh, too\n"
     "  --capacity N        keys and windows the table has room for",
     1, 1, command_limit_replay},
    {"gateway", "replay", "FILE", "settle-every= key-name= decisions",
     "recorded requests through the gateway, in virtual time",
     "FILE: NDJSON of {\"time\", \"key\"?, \"service\"?, \"route\"?, "
     "\"method\"?, \"path\"?,\n\"query\"?, \"client_ip\"?, \"status\"?, "
     "\"cost\"?} in the order of time, - for stdin.\nIn a store that has "
     "counted nothing yet.\n"
     "  --settle-every TIME    of virtual time: 1h (default), 1m, 1s\n"
     "  --key-name NAME        the header of the key: apikey\n"
     "  --decisions            prints every decision",
     1, 1, command_gateway_replay},

    {"completion", NULL, "bash|zsh|fish|man", "",
     "what a shell completes; the manual page",
     "In bash: source <(metering completion bash). An installation brings all "
     "of them.",
     1, 1, command_completion},
    {"info", NULL, "", "field=", "sizes, tables, readers; is billing alive?",
     "\"tally\" tells what recorders counted that is not settled yet: since "
     "when, how full\nthe fullest is, and who holds settlement up.",
     0, 0, command_info},
    {"check", NULL, "", "field=", "read and verify everything in the store",
     "Exit status 1 when something is damaged.", 0, 0, command_check},
    {"backup", NULL, "NEW-DIR", "without-secrets",
     "copy the store while it is in use",
     "The copy holds the secrets under which keys are hashed.\n"
     "  --without-secrets  nothing of any API key: consumers have none there",
     1, 1, command_backup},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL}};
