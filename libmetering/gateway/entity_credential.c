/* Stored credentials one by one: their hashes as texts, when they end, and how
 * another key takes the place of one. In: a consumer's record. Out: the record
 * with another key; the key itself goes to the caller and nowhere else. */
#include "base/check.h"
#include "base/error.h"
#include "gateway/entity_parts.h"

#define KEY_BYTES 32
#define KEY_CHARS 43 /* of them, in base64url */

/* --- What is stored ------------------------------------------------------- */
void met__credential_hash_print(const met__credential_hash *hash,
                                char *hex_out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        hex_out[2 * i] = digits[hash->bytes[i] >> 4];
        hex_out[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
}

int met__credential_hash_parse(met__text hex, met__credential_hash *hash_out)
{
    if (hex.size != 2 * sizeof hash_out->bytes) {
        return 0;
    }
    for (size_t i = 0; i < hex.size; i++) {
        char c = hex.data[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0) {
            return 0;
        }
        uint8_t *byte = &hash_out->bytes[i / 2];
        *byte = (uint8_t)(i % 2 == 0 ? digit << 4 : *byte | digit);
    }
    return 1;
}

static int64_t ttl_of(const met__node *credential)
{
    const met__node *ttl = met__node_get(credential, "ttl");

    return ttl != NULL && ttl->kind == MET__NODE_INTEGER ? ttl->as.integer
                                                         : 0;
}

met_error met__credential_end(const met__node *credential, int64_t *ends_out)
{
    int64_t created_at = 0;
    int64_t ttl = ttl_of(credential);

    if (met__time_parse(met__node_text_at(credential, "created_at"),
                        &created_at)
        != MET_OK) {
        return MET_E_CORRUPT;
    }
    *ends_out = ttl <= 0 ? 0
                : ttl > (MET__TIME_MAX - created_at) / MET__SECOND_NS
                    ? MET__TIME_MAX
                    : created_at + ttl * MET__SECOND_NS;
    return MET_OK;
}

met_error met__credential_shown(const met__node *credential,
                                met__arena *arena, met__node **node_out)
{
    static const char *const members[] = {"id", "ttl", "created_at",
                                          "replaces", "replaced_by"};
    met__builder builder;

    met__builder_begin(&builder, arena);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        met__build_node(&builder, members[i],
                        met__node_get(credential, members[i]));
    }
    return met__builder_end(&builder, node_out);
}

/* --- What is asked for ---------------------------------------------------- */
typedef struct rotation {
    met__txn *txn;
    met__arena *arena;
    met_error_info *info;
    int64_t now_ns;
    met__text username;
    met__node *consumer;     /* as stored */
    const met__node *list;   /* its credentials */
    met__text id;            /* given, or empty */
    met__text key;           /* given, or made */
    met__credential_hash hash;
    int64_t grace;           /* seconds */
    int64_t ttl;             /* -1: that of the old one */
    int is_made_here;
    const met__node *old;
    met__node *made;         /* the new credential */
    met__node *kept;         /* the old one while its grace lasts, or NULL */
} rotation;

static met_error read_request(rotation *self, const met__node *request,
                              met__audit *audit)
{
    static const met__path path = {NULL, "request", 0};
    met__fields fields;

    self->ttl = -1;
    (void)met__fields_begin(&fields, request, &path, self->info);
    (void)met__fields_text(&fields, "id", MET__OPTIONAL, 1,
                           MET__ENTITY_ID_MAX, &self->id);
    (void)met__fields_text(&fields, "key", MET__OPTIONAL, 1,
                           MET_GATEWAY_KEY_SIZE_MAX, &self->key);
    (void)met__fields_integer(&fields, "grace_seconds", MET__OPTIONAL, 0,
                              MET__CREDENTIAL_TTL_MAX, &self->grace);
    (void)met__fields_integer(&fields, "ttl", MET__OPTIONAL, 0,
                              MET__CREDENTIAL_TTL_MAX, &self->ttl);
    met__audit_read(&fields, audit);
    return met__fields_end(&fields);
}

static met_error load(rotation *self, met__text consumer)
{
    met_error error = met__entity_resolve(self->txn, "consumer", consumer,
                                          self->arena, &self->username);

    if (error == MET_OK) {
        error = met__entity_load(self->txn, MET__TEXT("consumer"),
                                 self->username, self->arena,
                                 &self->consumer);
    }
    if (error == MET_OK) {
        self->list = met__node_get(self->consumer, "keyauth_credentials");
    }
    return error == MET_E_NOT_FOUND
               ? met__fail(self->info, error, "consumer",
                           "no consumer of that name")
               : error;
}

/* --- Which one ------------------------------------------------------------ */
static uint32_t count_of(const met__node *list)
{
    return list != NULL && list->kind == MET__NODE_ARRAY ? list->count : 0;
}

/* The credential whose member is that text; or NULL. */
static met__node *find_by(const met__node *list, const char *member,
                                met__text text)
{
    for (uint32_t i = 0; i < count_of(list); i++) {
        if (met__text_equal(met__node_text_at(list->as.items[i], member),
                            text)) {
            return list->as.items[i];
        }
    }
    return NULL;
}

static int is_over(const met__node *credential, int64_t now_ns)
{
    int64_t ends = 0;

    return met__credential_end(credential, &ends) == MET_OK && ends != 0
           && ends <= now_ns;
}

/* Without an id: the only one that is in force and has no successor. */
static met_error find_only(rotation *self)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < count_of(self->list); i++) {
        const met__node *one = self->list->as.items[i];
        if (met__node_get(one, "replaced_by") == NULL
            && !is_over(one, self->now_ns)) {
            self->old = one;
            count++;
        }
    }
    return count == 1 ? MET_OK
           : count == 0
               ? met__fail(self->info, MET_E_NOT_FOUND, "consumer",
                           "has no key in force")
               : met__fail(self->info, MET_E_INVALID, "request.id",
                           "is needed: the consumer has %u keys",
                           (unsigned)count);
}

/* Who asks a second time has not been answered the first time: with a key of
 * its own it gets the same answer, and a key that was made here is lost. */
static met_error find_successor(rotation *self)
{
    met__node *next = find_by(self->list, "replaces", self->id);
    char hex[MET__CREDENTIAL_HEX_SIZE];

    if (next == NULL) {
        return met__fail(self->info, MET_E_NOT_FOUND, "request.id",
                         "the consumer has no such credential");
    }
    met__credential_hash_print(&self->hash, hex);
    if (!self->is_made_here
        && met__text_equal(met__node_text_at(next, "hash"),
                           met__text_of(hex, sizeof hex))) {
        self->made = next;
        self->old = NULL;
        return MET_OK;
    }
    met__text id = met__node_text_at(next, "id");
    return met__fail(self->info, MET_E_CONFLICT, "request.id",
                     "was rotated already: %.*s is in its place",
                     (int)id.size, id.data);
}

static met_error find(rotation *self)
{
    if (self->id.size == 0) {
        return find_only(self);
    }
    self->old = find_by(self->list, "id", self->id);
    return self->old == NULL
                   || met__node_get(self->old, "replaced_by") != NULL
               ? find_successor(self)
               : MET_OK;
}

/* --- The new one ---------------------------------------------------------- */
/* 256 random bits, as base64url. */
static met_error make_key(rotation *self)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const met__os *os = met__store_platform(met__txn_store(self->txn))->os;
    uint8_t bytes[KEY_BYTES + 1] = {0};
    char *text = met__arena_allocate(self->arena, KEY_CHARS + 1);

    if (text == NULL) {
        return MET_E_NO_MEMORY;
    }
    int result = os->random(os->context, bytes, KEY_BYTES);
    if (result < 0) {
        return met__os_error(result);
    }
    for (size_t i = 0; i < KEY_CHARS; i++) {
        size_t bit = 6 * i;
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        text[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    text[KEY_CHARS] = '\0';
    self->key = met__text_of(text, KEY_CHARS);
    return MET_OK;
}

static met_error choose_key(rotation *self)
{
    met_error error = MET_OK;

    self->is_made_here = self->key.size == 0;
    if (self->is_made_here) {
        error = make_key(self);
    }
    met__credential_hash_of(
        met__store_credential_key(met__txn_store(self->txn)), self->key,
        &self->hash);
    return error;
}

static met_error make_credential(rotation *self)
{
    char hex[MET__CREDENTIAL_HEX_SIZE];
    met__builder builder;
    met__text id;
    met__text value;
    int64_t ttl = self->ttl >= 0 ? self->ttl : ttl_of(self->old);
    met_error error = met__txn_get(self->txn, MET__TABLE_CREDENTIAL,
                                   &self->hash, sizeof self->hash, &value);

    if (error == MET_OK) {
        return met__fail(self->info, MET_E_CONFLICT, "request.key",
                         "is a key already");
    }
    if (error == MET_E_NOT_FOUND) {
        error = met__object_id(self->txn, self->now_ns, self->arena, &id);
    }
    if (error != MET_OK) {
        return error;
    }
    met__credential_hash_print(&self->hash, hex);
    met__builder_begin(&builder, self->arena);
    met__build_text(&builder, "id", id);
    met__build_text(&builder, "hash", met__text_of(hex, sizeof hex));
    if (ttl > 0) {
        met__build_integer(&builder, "ttl", ttl);
    }
    met__build_time(&builder, "created_at", self->now_ns);
    met__build_text(&builder, "replaces", met__node_text_at(self->old, "id"));
    error = met__builder_end(&builder, &self->made);
    return error != MET_OK
               ? error
               : met__txn_put(self->txn, MET__TABLE_CREDENTIAL, &self->hash,
                              sizeof self->hash, self->username.data,
                              self->username.size);
}

/* --- The old one ---------------------------------------------------------- */
/* It ends with its grace, or before when that was its time. */
static met_error keep_old(rotation *self)
{
    int64_t created_at = 0;
    int64_t ttl = ttl_of(self->old);
    met__builder builder;

    if (self->grace == 0 || is_over(self->old, self->now_ns)) {
        return MET_OK;
    }
    if (met__time_parse(met__node_text_at(self->old, "created_at"),
                        &created_at)
        != MET_OK) {
        return MET_E_CORRUPT;
    }
    /* Whole seconds of its age, rounded up, and the grace. */
    int64_t age = self->now_ns > created_at
                      ? (self->now_ns - created_at + MET__SECOND_NS - 1)
                            / MET__SECOND_NS
                      : 0;
    if (ttl <= 0 || ttl > age + self->grace) {
        ttl = age + self->grace;
    }
    met__builder_begin(&builder, self->arena);
    met__build_text(&builder, "id", met__node_text_at(self->old, "id"));
    met__build_text(&builder, "hash", met__node_text_at(self->old, "hash"));
    met__build_integer(&builder, "ttl", ttl);
    met__build_time(&builder, "created_at", created_at);
    met__build_text(&builder, "replaces",
                    met__node_text_at(self->old, "replaces"));
    met__build_text(&builder, "replaced_by",
                    met__node_text_at(self->made, "id"));
    return met__builder_end(&builder, &self->kept);
}

static met_error revoke(met__txn *txn, const met__node *credential)
{
    met__credential_hash hash;

    if (!met__credential_hash_parse(met__node_text_at(credential, "hash"),
                                    &hash)) {
        return MET_E_CORRUPT;
    }
    met_error error = met__txn_remove(txn, MET__TABLE_CREDENTIAL, &hash,
                                      sizeof hash);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* The list with the new one; those whose time is over go. */
static met_error change_list(rotation *self, met__node **list_out)
{
    met__node *list = met__node_array(self->arena);
    met_error error = list != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (uint32_t i = 0; error == MET_OK && i < count_of(self->list); i++) {
        met__node *one = self->list->as.items[i];
        if (one == self->old) {
            one = self->kept;
        } else if (is_over(one, self->now_ns)) {
            one = NULL;
        }
        error = one != NULL ? met__node_append(self->arena, list, one)
                            : revoke(self->txn, self->list->as.items[i]);
    }
    if (error == MET_OK && list->count >= MET__CREDENTIALS_MAX) {
        return met__fail(self->info, MET_E_LIMIT, "consumer",
                         "has %d keys in force already",
                         MET__CREDENTIALS_MAX);
    }
    *list_out = list;
    return error == MET_OK ? met__node_append(self->arena, list, self->made)
                           : error;
}

static met_error store(rotation *self)
{
    met__node *list = NULL;
    met__node *node = NULL;
    met__builder builder;
    met__text key;
    met_error error = change_list(self, &list);

    met__builder_begin(&builder, self->arena);
    for (uint32_t i = 0; error == MET_OK && i < self->consumer->count; i++) {
        const met__member *member = &self->consumer->as.members[i];
        if (met__text_equal(member->name, MET__TEXT("updated_at"))) {
            met__build_time(&builder, "updated_at", self->now_ns);
        } else {
            met__build_node(&builder, member->name.data,
                            member->node == self->list ? list
                                                       : member->node);
        }
    }
    if (error == MET_OK) {
        error = met__builder_end(&builder, &node);
    }
    if (error == MET_OK) {
        error = met__object_key(self->arena, MET__TEXT("consumer"),
                                self->username, &key);
    }
    if (error == MET_OK) {
        error = met__record_put(self->txn, MET__TABLE_GATEWAY, key.data,
                                key.size, node);
    }
    return error == MET_OK ? met__txn_touch_catalog(self->txn) : error;
}

/* --- All of it ------------------------------------------------------------ */
static met_error answer(rotation *self, met__node **node_out)
{
    met__node *made = NULL;
    met__node *old = NULL;
    met__builder builder;
    met_error error = met__credential_shown(self->made, self->arena, &made);
    const met__node *kept =
        self->kept != NULL
            ? self->kept
            : find_by(self->old == NULL ? self->list : NULL, "id", self->id);

    if (error == MET_OK && kept != NULL) {
        error = met__credential_shown(kept, self->arena, &old);
    }
    met__builder_begin(&builder, self->arena);
    met__build_text(&builder, "consumer", self->username);
    if (self->is_made_here) {
        met__build_text(&builder, "key", self->key);
    }
    met__build_node(&builder, "credential", made);
    met__build_node(&builder, "old_credential", old);
    return error == MET_OK ? met__builder_end(&builder, node_out) : error;
}

met_error met__credential_rotate(met__txn *txn, met__text consumer,
                                 const met__node *request, met__arena *arena,
                                 met__node **node_out, met__audit *audit_out,
                                 met_error_info *info)
{
    rotation self = {.txn = txn,
                     .arena = arena,
                     .info = info,
                     .now_ns = met__txn_now_ns(txn)};
    met_error error = met__credential_start();

    if (error == MET_OK) {
        error = read_request(&self, request, audit_out);
    }
    if (error == MET_OK) {
        error = load(&self, consumer);
    }
    if (error == MET_OK) {
        error = choose_key(&self);
    }
    if (error == MET_OK) {
        error = find(&self);
    }
    if (error == MET_OK && self.old != NULL) {
        error = make_credential(&self);
        if (error == MET_OK) {
            error = keep_old(&self);
        }
        if (error == MET_OK) {
            error = store(&self);
        }
        audit_out->action = "credential.rotate";
        audit_out->to = met__node_text_at(self.consumer, "subject");
        audit_out->old_credential = met__node_text_at(self.old, "id");
        audit_out->new_credential = met__node_text_at(self.made, "id");
    }
    return error == MET_OK ? answer(&self, node_out) : error;
}
