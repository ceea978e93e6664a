/* The store of world.h: how it is made, restored, opened and closed. */
#include "contract/world.h"

#include <fcntl.h>

#include "unit/store/store_support.h"

world w;

/* What the library takes for the operating system. */
const met__os *__wrap_met__os_default(void);
const met__os *__wrap_met__os_default(void)
{
    return w.disk.table.open != NULL ? &w.disk.table : FAULTY_REAL;
}

static int64_t now_ns(void *context)
{
    (void)context;
    return w.now_ns;
}

const char *quoted(const char *text)
{
    static char texts[8][4096];
    static unsigned turn;
    char *copy = texts[turn++ % 8];

    assert_true(strlen(text) < sizeof texts[0]);
    strcpy(copy, text);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;) {
        *at = '"';
    }
    return copy;
}

void assert_ok(met_error error)
{
    if (error != MET_OK) {
        fail_msg("%s at \"%s\": \"%s\"", met_error_name(error), w.told.field,
                 w.told.reason);
    }
}

uint64_t world_digest(void)
{
    uint64_t number = 0;

    assert_ok(digest(w.store, &number));
    return number;
}

/* --- Opening and closing -------------------------------------------------- */
void world_close_handles(void)
{
    met_usage_query_close(w.cursor);
    met_billing_run_close(w.run);
    met_prepared_close(w.prepared);
    met_recorder_close(w.recorder);
    met_ingest_close(w.ingest);
    met_gateway_close(w.gateway);
    met_limiter_close(w.limiter);
    met_price_destroy(w.price);
    met_buffer_release(&w.out);
    w.cursor = NULL;
    w.run = NULL;
    w.prepared = NULL;
    w.recorder = NULL;
    w.ingest = NULL;
    w.gateway = NULL;
    w.limiter = NULL;
    w.price = NULL;
}

void world_close(void)
{
    world_close_handles();
    met_store_close(w.store);
    w.store = NULL;
    assert_int_equal(w.memory.live, 0);
    assert_int_equal(w.disk.open_files, 0);
}

void world_open(void)
{
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &w.platform,
                               .map_size_bytes = w.map_size,
                               .flags = MET_STORE_CREATE};

    w.told = (met_error_info){.struct_size = sizeof w.told};
    assert_ok(met_store_open(w.path, strlen(w.path), &config, &w.store,
                             &w.told));
}

/* --- Copies --------------------------------------------------------------- */
static size_t made_size; /* of the path that is copied from */

static int copy_entry(const char *from, const struct stat *found, int kind,
                      struct FTW *where)
{
    static char bytes[1 << 14];
    const char *to = temp_path(w.path, from + made_size);
    ssize_t size;

    (void)where;
    if (kind == FTW_D) {
        return mkdir(to, 0700);
    }
    int source = open(from, O_RDONLY);
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(source >= 0 && target >= 0);
    while ((size = read(source, bytes, sizeof bytes)) > 0) {
        if (bytes[0] == 0 && memcmp(bytes, bytes + 1, (size_t)size - 1) == 0) {
            assert_true(lseek(target, size, SEEK_CUR) > 0); /* a hole will do */
        } else {
            assert_int_equal(write(target, bytes, (size_t)size), size);
        }
    }
    assert_int_equal(ftruncate(target, found->st_size), 0);
    close(source);
    close(target);
    return 0;
}

void world_restore(void)
{
    const char *made = temp_path(w.home, "made");
    char from[512];

    world_close();
    temp_remove(w.path);
    temp_remove(temp_path(w.home, "limits.map"));
    snprintf(from, sizeof from, "%s", made);
    made_size = strlen(from);
    assert_int_equal(nftw(from, copy_entry, 16, FTW_PHYS), 0);
    w.now_ns = w.made_ns;
    world_open();
}

/* --- Making --------------------------------------------------------------- */
static int64_t time_of(const char *text)
{
    int64_t utc_ns = 0;

    assert_ok(met_time_parse(text, strlen(text), &utc_ns));
    return utc_ns;
}

static void apply(const char *text)
{
    const char *json = quoted(text);

    assert_ok(met_catalog_apply(w.store, json, strlen(json), 0, 0, NULL,
                                INFO));
}

/* The first id in the last answer; or the last one before `mark`. */
static void keep_id(const char *mark, char out[32])
{
    static const char name[] = "\"id\":\"";
    const char *at = strstr(w.out.data, name);
    const char *end = mark != NULL ? strstr(w.out.data, mark) : at + 1;
    const char *id = NULL;

    assert_non_null(end);
    for (; at != NULL && at < end; at = strstr(at + 1, name)) {
        id = at + sizeof name - 1;
    }
    assert_non_null(id);
    snprintf(out, 32, "%.26s", id);
    met_buffer_release(&w.out);
}

static void use(const char *id, unsigned count)
{
    met_ingest_event event = {
        .id_size = 16, .source = "s", .source_size = 1,
        .type = "kong.api_request", .type_size = 16,
        .subject = "consumer:ada", .subject_size = 12, .utc_ns = w.now_ns};
    const met_pair service = {T("service_name"), T("s")};
    const met_event_cursor cursor = {.struct_size = sizeof cursor,
                                     .name = "queue", .name_size = 5,
                                     .generation = 1, .offset = 10};
    char text[32];

    event.attributes = &service;
    event.attribute_count = 1;
    assert_ok(met_ingest_open(w.store, NULL, &w.ingest, INFO));
    for (unsigned i = 0; i < count; i++) {
        event.id = text;
        event.id_size = (size_t)snprintf(text, sizeof text, "%s%u", id, i + 1);
        assert_ok(met_event_ingest(w.ingest, &event, 1, &cursor, NULL, INFO));
    }
    world_close_handles();
}

static const char catalog[] =
    "{'meters':[{'key':'requests','name':'R','event_type':"
    "'kong.api_request','aggregation':'count','dimensions':{'service_name':"
    "'$.service_name','route_name':'$.route_name'}},{'key':'tokens','name':"
    "'T','event_type':'n','aggregation':'sum','value_property':'$.v'}],"
    "'features':[{'key':'calls','name':'C','meter':{'key':'requests',"
    "'filters':{'service_name':{'eq':'s'}}}}],"
    "'notice_rules':[{'key':'warn','name':'W','type':"
    "'entitlements.balance.threshold','thresholds':[{'type':"
    "'usage_percentage','value':'50'}]}]}";
#define PLAN(KEY, MORE)                                                     \
    "{'key':'" KEY "','name':'P','currency':'USD','billing_cadence':'P1M'," \
    MORE "'phases':[{'key':'p','name':'P','rate_cards':[{'key':'calls',"    \
    "'name':'Calls','feature':{'key':'calls'},'billing_cadence':'P1M',"     \
    "'price':{'type':'unit','amount':'0.01'},'entitlement':{'type':"        \
    "'metered','limit':'100','usage_period':'P1M','is_soft_limit':false}}"  \
    "]}]}"
static const char plans[] =
    "{'plans':[" PLAN("basic", "'publish':true,") ","
    PLAN("premium", "'publish':true,") "," PLAN("draft", "") "]}";
static const char people[] =
    "{'customers':[{'key':'ada','name':'A','usage_attribution':{"
    "'subject_keys':['consumer:ada']}},{'key':'bob','name':'B',"
    "'usage_attribution':{'subject_keys':['bob-1']}},{'key':'cy','name':"
    "'C'},{'key':'dan','name':'D'},{'key':'eve','name':'E'},{'key':'fay',"
    "'name':'F'}],'entitlements':[{'customer':{'key':'cy'},'feature':{"
    "'key':'calls'},'type':'metered','usage_period':{'interval':'P1M'}}],"
    "'billing_profiles':[{'workflow':{'invoicing':{'auto_advance':false}}}"
    "]}";
static const char kong[] =
    "{'services':[{'name':'s','url':'http://127.0.0.1:9/','routes':[{"
    "'name':'r','paths':['/s']}]}],'consumers':[{'username':'ada',"
    "'keyauth_credentials':[{'key':'ada-key'}]}],'plugins':[{'name':"
    "'key-auth'},{'name':'rate-limiting','config':{'minute':100000}}]}";

static void subscribe(const char *text, char out[32])
{
    const char *json = quoted(text);

    assert_ok(met_subscription_create(w.store, json, strlen(json), 0, OUT));
    keep_id(NULL, out);
}

static void make_catalog(void)
{
    assert_ok(met_event_settings_put(w.store, J("{'retain':'P300D'}"), NULL,
                                     INFO));
    apply(catalog);
    apply(plans);
    apply(people);
    apply(kong);
    subscribe("{'customer':{'key':'ada'},'plan':{'key':'basic'}}", w.running);
    subscribe("{'customer':{'key':'eve'},'plan':{'key':'basic'}}",
              w.canceled);
    subscribe("{'customer':{'key':'dan'},'plan':{'key':'basic'},"
              "'active_from':'2027-01-01T00:00:00Z'}",
              w.scheduled);
}

/* An invoice of January, a draft of February, March is due, April runs. */
static void make_bills(void)
{
    met_billing_report report = {.struct_size = sizeof report};

    w.now_ns = time_of("2026-01-20T00:00:30Z");
    use("e", 2);
    w.now_ns = time_of("2026-02-15T00:00:30Z");
    assert_ok(met_invoice_finalize(w.store, T("ada"), 0, NULL, INFO));
    use("f", 3);
    w.now_ns = time_of("2026-03-12T00:00:30Z");
    assert_ok(met_billing_run_open(w.store, 0, &w.run, INFO));
    do {
        assert_ok(met_billing_run_step(w.run, &report, INFO));
    } while (report.stage != MET_BILLING_DONE);
    assert_int_equal(report.failed, 0);
    world_close_handles();
    assert_ok(met_invoice_list(w.store, T("ada"), OUT));
    keep_id("\"status\":\"draft\"", w.draft);
    use("g", 4);
}

/* Grants, notices, corrections, and usage that nobody has settled. */
static void make_usage(void)
{
    w.now_ns = time_of("2026-04-15T10:30:30Z");
    assert_ok(met_grant_create(w.store,
                               J("{'customer':{'key':'ada'},'feature':{'key':"
                                 "'calls'},'amount':'5'}"),
                               0, OUT));
    keep_id(NULL, w.grant);
    use("h", 2);
    assert_ok(met_usage_adjust(
        w.store,
        J("{'id':'a1','meter':'requests','subject':'consumer:ada',"
          "'dimensions':{'service_name':'s'},'time':'2026-04-15T10:20:00Z',"
          "'value':'70','reason':'r','actor':'a'}"),
        NULL, INFO));
    assert_ok(met_notice_list(w.store, 10, OUT));
    keep_id(NULL, w.notice);
    assert_ok(met_subscription_cancel(w.store, ID(canceled), 0,
                                      MET_CANCEL_NEXT_BILLING_CYCLE, NULL,
                                      INFO));
    assert_ok(met_subject_rename(w.store, T("old"),
                                 J("{'to':'other','reason':'r','actor':"
                                   "'a'}"),
                                 NULL, INFO));
}

static void make_files(void)
{
    const met_gateway_config config = {.struct_size = sizeof config,
                                       .limiter_capacity = 1024};
    const met_recorder_config small = {.struct_size = sizeof small,
                                       .shapes_max = 64};
    const met_event event = {.struct_size = sizeof event,
                             .type = "kong.api_request", .type_size = 16,
                             .subject = "consumer:ada", .subject_size = 12};

    assert_ok(met_gateway_open(w.store, &config, &w.gateway, INFO));
    assert_ok(met_recorder_open(w.store, &small, &w.recorder, INFO));
    assert_ok(met_recorder_add(w.recorder, &event, INFO));
    world_close();
    w.now_ns += INT64_C(120) * 1000000000;
    w.made_ns = w.now_ns;
}

met_error open_at(const char *path, uint64_t flags)
{
    met_store_config config = {.struct_size = sizeof config, .flags = flags,
                               .map_size_bytes = SWEEP_MAP_SIZE};
    met_store *store = NULL;
    met_error error = met_store_open(path, strlen(path), &config, &store,
                                     INFO);

    met_store_close(store);
    return error;
}

int world_make(void **state)
{
    (void)state;
    faulty_disk_init(&w.disk);
    w.platform = (met_platform){
        .struct_size = sizeof w.platform,
        .allocator = {&w.memory, faulty_allocate, faulty_reallocate,
                      faulty_release},
        .clock = {NULL, now_ns, now_ns}};
    temp_directory_fast(w.home, sizeof w.home);
    w.map_size = SWEEP_MAP_SIZE;
    snprintf(w.path, sizeof w.path, "%s/made", w.home);
    w.now_ns = time_of("2026-01-10T00:00:30Z");
    world_open();
    make_catalog();
    make_bills();
    make_usage();
    make_files();
    snprintf(w.path, sizeof w.path, "%s/s", w.home);
    world_restore();
    return 0;
}

int world_remove(void **state)
{
    (void)state;
    world_close();
    temp_remove(w.home);
    return 0;
}
