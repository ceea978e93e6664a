/* Reading a snapshot: opening and bounding it, finding services, routes and
 * credentials in it. In: a file that may hold anything. Out: records and
 * texts that lie inside. It knows no store. */
#include "gateway/snapshot.h"

#include "base/check.h"
#include "base/error.h"

const char *const met__attribute_names[MET__ATTRIBUTE_CUSTOM] = {
    "service_name",   "service_id",   "service_protocol",
    "service_port",   "route_name",   "route_id",
    "request_method", "request_host", "request_uri",
    "request_user_agent", "client_ip", "response_http_status",
    "upstream_status",
};

size_t met__snapshot_record_size(uint32_t section)
{
    static const size_t sizes[MET__SECTION_COUNT] = {
        [MET__SECTION_TEXT] = 1,
        [MET__SECTION_SERVICE] = sizeof(met__snapshot_service),
        [MET__SECTION_ROUTE] = sizeof(met__snapshot_route),
        [MET__SECTION_PATH] = sizeof(met__snapshot_path),
        [MET__SECTION_CONSUMER] = sizeof(met__snapshot_consumer),
        [MET__SECTION_CREDENTIAL] = sizeof(met__snapshot_credential),
        [MET__SECTION_CREDENTIAL_SLOT] = sizeof(uint32_t),
        [MET__SECTION_GROUP] = sizeof(uint32_t),
        [MET__SECTION_KEY_AUTH] = sizeof(met__snapshot_key_auth),
        [MET__SECTION_ACL] = sizeof(met__snapshot_acl),
        [MET__SECTION_LIMIT] = sizeof(met__snapshot_limit),
        [MET__SECTION_SCOPE] = sizeof(met__snapshot_scope),
        [MET__SECTION_FEATURE] = sizeof(met__snapshot_feature),
        [MET__SECTION_FILTER] = sizeof(met__snapshot_filter),
        [MET__SECTION_ROW] = sizeof(met__snapshot_row),
        [MET__SECTION_CONSUMER_SLOT] = sizeof(uint32_t),
    };
    return section < MET__SECTION_COUNT ? sizes[section] : 1;
}

/* --- Opening -------------------------------------------------------------- */

/* Every section inside the file, and powers of two of slots. */
static int take_sections(const met__snapshot_directory *directory,
                         met__snapshot *snapshot)
{
    uint64_t size = snapshot->file.size;

    for (uint32_t i = 0; i < MET__SECTION_COUNT; i++) {
        uint64_t offset = directory->sections[i].offset;
        uint64_t count = directory->sections[i].count;
        if (offset % 8 != 0 || offset > size || count >= MET__NONE
            || count > (size - offset) / met__snapshot_record_size(i)) {
            return 0;
        }
        snapshot->data[i] = snapshot->file.memory + offset;
        snapshot->count[i] = (uint32_t)count;
    }
    uint32_t keys = snapshot->count[MET__SECTION_CREDENTIAL_SLOT];
    uint32_t names = snapshot->count[MET__SECTION_CONSUMER_SLOT];
    return (keys & (keys - 1)) == 0 && (names & (names - 1)) == 0;
}

static met_error check_body(met__snapshot *snapshot, const char *path,
                            met_error_info *info)
{
    const unsigned char *memory = snapshot->file.memory;
    uint64_t size = snapshot->file.size;
    uint64_t body = MET__FILE_HEADER_SIZE;
    met__snapshot_directory directory;

    if (size < body + sizeof directory || size > MET__SNAPSHOT_SIZE_MAX) {
        return met__fail(info, MET_E_CORRUPT, path, "has an impossible size");
    }
    memcpy(&directory, memory + body, sizeof directory);
    if (directory.checksum
        != met__checksum(memory + body + sizeof directory.checksum,
                         (size_t)(size - body - sizeof directory.checksum))) {
        return met__fail(info, MET_E_CORRUPT, path, "its checksum is wrong");
    }
    if (!take_sections(&directory, snapshot)) {
        return met__fail(info, MET_E_CORRUPT, path,
                         "a section lies outside of it");
    }
    snapshot->number = directory.number;
    snapshot->global = directory.global;
    return MET_OK;
}

met_error met__snapshot_open(const met__platform *platform, const char *path,
                             const uint8_t store_id[16],
                             met__snapshot *snapshot_out,
                             met_error_info *info)
{
    met__snapshot snapshot = {0};
    met__mapped_spec spec = {.magic = MET__SNAPSHOT_MAGIC,
                             .layout = MET__SNAPSHOT_LAYOUT};
    met_error error;

    memcpy(spec.store_id, store_id, sizeof spec.store_id);
    error = met__mapped_file_open(platform, path, &spec, 0, &snapshot.file,
                                  info);
    if (error != MET_OK) {
        return error;
    }
    error = check_body(&snapshot, path, info);
    if (error != MET_OK) {
        met__mapped_file_close(platform, &snapshot.file);
        return error;
    }
    *snapshot_out = snapshot;
    return MET_OK;
}

void met__snapshot_close(const met__platform *platform,
                         met__snapshot *snapshot)
{
    if (snapshot->file.memory != NULL) {
        met__mapped_file_close(platform, &snapshot->file);
    }
    *snapshot = (met__snapshot){0};
}

/* --- Finding -------------------------------------------------------------- */

int met__snapshot_groups_overlap(const met__snapshot *snapshot, met__range a,
                                 met__range b)
{
    const uint32_t *groups =
        (const uint32_t *)snapshot->data[MET__SECTION_GROUP];

    a = met__snapshot_range(snapshot, MET__SECTION_GROUP, a);
    b = met__snapshot_range(snapshot, MET__SECTION_GROUP, b);
    for (uint32_t i = 0; i < a.count; i++) {
        for (uint32_t k = 0; k < b.count; k++) {
            if (groups[a.first + i] == groups[b.first + k]) {
                return 1;
            }
        }
    }
    return 0;
}

/* Services and routes begin with their name and are sorted by it. */
static uint32_t find_by_name(const met__snapshot *snapshot, uint32_t section,
                             met__text name)
{
    size_t size = met__snapshot_record_size(section);
    uint32_t low = 0;
    uint32_t high = snapshot->count[section];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        met__ref ref;
        memcpy(&ref, snapshot->data[section] + size * middle, sizeof ref);
        int order = met__text_compare(met__snapshot_text(snapshot, ref), name);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return MET__NONE;
}

uint32_t met__snapshot_service_find(const met__snapshot *snapshot,
                                    met__text name)
{
    return find_by_name(snapshot, MET__SECTION_SERVICE, name);
}

uint32_t met__snapshot_route_find(const met__snapshot *snapshot,
                                  met__text name)
{
    return find_by_name(snapshot, MET__SECTION_ROUTE, name);
}

static met__text path_at(const met__snapshot *snapshot, uint32_t index)
{
    const met__snapshot_path *path = met__snapshot_path_at(snapshot, index);
    return met__snapshot_text(snapshot, path->path);
}

/* How many paths stand before or at `path`. */
static uint32_t paths_up_to(const met__snapshot *snapshot, met__text path)
{
    uint32_t low = 0;
    uint32_t high = snapshot->count[MET__SECTION_PATH];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (met__text_compare(path_at(snapshot, middle), path) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Of the records with the same path as `index`, the last of them: the one for
 * the method, else the one for any; none when neither is there. Of several the
 * last is the first by name. */
static uint32_t route_of_path(const met__snapshot *snapshot, uint32_t index,
                              met__text method)
{
    met__text path = path_at(snapshot, index);
    uint32_t any = MET__NONE;

    for (uint32_t i = index;
         i == index
         || (i != MET__NONE && met__text_equal(path_at(snapshot, i), path));
         i--) {
        const met__snapshot_path *one = met__snapshot_path_at(snapshot, i);
        met__text wanted = met__snapshot_text(snapshot, one->method);
        if (wanted.size == 0) {
            any = any == MET__NONE ? one->route : any;
        } else if (met__text_equal(wanted, method)) {
            return one->route;
        }
    }
    return any;
}

/* The route of a path that `path` begins with; none when it has none for the
 * method. */
static inline uint32_t route_at(const met__snapshot *snapshot, uint32_t index,
                                met__text path, met__text method)
{
    met__text prefix = path_at(snapshot, index);

    return prefix.size <= path.size
                   && met__bytes_equal(prefix.data, path.data, prefix.size)
               ? route_of_path(snapshot, index, method)
               : MET__NONE;
}

/* Of a few paths it is quicker to look at all: longer ones that `path` begins
 * with stand behind shorter ones. */
#define FEW_PATHS 8u

uint32_t met__snapshot_route_match(const met__snapshot *snapshot,
                                   met__text path, met__text method)
{
    uint32_t count = snapshot->count[MET__SECTION_PATH];

    for (uint32_t i = count; count <= FEW_PATHS && i > 0; i--) {
        uint32_t route = route_at(snapshot, i - 1, path, method);
        if (route != MET__NONE) {
            return route;
        }
    }
    if (count <= FEW_PATHS) {
        return MET__NONE;
    }
    /* Whatever `path` begins with stands on the chain of parents of the
     * record before it. The bound ends a chain of a damaged file. */
    uint32_t at = paths_up_to(snapshot, path) - 1;

    for (uint32_t steps = 0; at < count && steps < count; steps++) {
        uint32_t route = route_at(snapshot, at, path, method);
        if (route != MET__NONE) {
            return route;
        }
        at = met__snapshot_path_at(snapshot, at)->parent;
    }
    return MET__NONE;
}

/* Whether the record is the one that is looked for. */
typedef int is_wanted(const met__snapshot *snapshot, uint32_t record,
                      const void *wanted);

/* Slots of a damaged table may all be taken: the walk ends anyway. */
static inline uint32_t find_slot(const met__snapshot *snapshot,
                                 uint32_t section, uint64_t at,
                                 is_wanted *is, const void *wanted)
{
    const uint32_t *slots = (const uint32_t *)snapshot->data[section];
    uint32_t count = snapshot->count[section];

    for (uint32_t steps = 0; steps < count; steps++, at++) {
        uint32_t slot = slots[at & (count - 1)];
        if (slot == 0) {
            break;
        }
        if (is(snapshot, slot - 1, wanted)) {
            return slot - 1;
        }
    }
    return MET__NONE;
}

static int is_credential(const met__snapshot *snapshot, uint32_t record,
                         const void *hash)
{
    const met__snapshot_credential *found =
        met__snapshot_credential_at(snapshot, record);

    return found != NULL && met__credential_hash_equal(&found->hash, hash);
}

/* Where the walk begins; NULL: without credentials. */
static const uint32_t *first_slot(const met__snapshot *snapshot,
                                  const met__credential_hash *hash)
{
    uint32_t count = snapshot->count[MET__SECTION_CREDENTIAL_SLOT];
    const uint32_t *slots =
        (const uint32_t *)snapshot->data[MET__SECTION_CREDENTIAL_SLOT];
    uint64_t at;

    memcpy(&at, hash->bytes, sizeof at);
    return count > 0 ? &slots[at & (count - 1)] : NULL;
}

void met__snapshot_credential_fetch(const met__snapshot *snapshot,
                                    const met__credential_hash *hash)
{
    const uint32_t *slot = first_slot(snapshot, hash);

    if (slot != NULL) {
        met__prefetch(slot);
    }
}

void met__snapshot_credential_fetch_record(const met__snapshot *snapshot,
                                           const met__credential_hash *hash)
{
    const uint32_t *slot = first_slot(snapshot, hash);
    const met__snapshot_credential *record =
        slot != NULL && *slot != 0
            ? met__snapshot_credential_at(snapshot, *slot - 1)
            : NULL;

    if (record != NULL) {
        met__prefetch(record);
    }
}

uint32_t met__snapshot_credential_find(const met__snapshot *snapshot,
                                       const met__credential_hash *hash)
{
    uint64_t at;

    memcpy(&at, hash->bytes, sizeof at);
    return find_slot(snapshot, MET__SECTION_CREDENTIAL_SLOT, at,
                     is_credential, hash);
}

static int is_consumer(const met__snapshot *snapshot, uint32_t record,
                       const void *username)
{
    const met__snapshot_consumer *found =
        met__snapshot_consumer_at(snapshot, record);
    const met__text *wanted = username;

    return found != NULL
           && met__text_equal(met__snapshot_text(snapshot, found->username),
                              *wanted);
}

uint32_t met__snapshot_consumer_find(const met__snapshot *snapshot,
                                     met__text username, uint64_t hash)
{
    return find_slot(snapshot, MET__SECTION_CONSUMER_SLOT, hash, is_consumer,
                     &username);
}
