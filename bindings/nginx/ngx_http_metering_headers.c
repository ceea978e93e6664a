/* What a decision changes: header lines for the client, header lines and query
 * for the upstream. What a client sent under a name that only we may use is
 * taken out. In: lines of text. Out: headers of nginx. */
#include "ngx_http_metering.h"

/* --- Names ---------------------------------------------------------------- */
/* Names that go upstream, as nginx wants them beside: in lower case, hashed. */
typedef struct {
    ngx_str_t name;
    u_char low[24];
    ngx_uint_t hash; /* 0: not made yet */
} known_name_t;

static known_name_t known_names[] = {
    {ngx_string("X-Consumer-ID"), "", 0},
    {ngx_string("X-Consumer-Custom-ID"), "", 0},
    {ngx_string("X-Consumer-Username"), "", 0},
    {ngx_string("X-Credential-Identifier"), "", 0},
    {ngx_string("X-Anonymous-Consumer"), "", 0},
    {ngx_string("X-Consumer-Groups"), "", 0},
    {ngx_string("X-Authenticated-Groups"), "", 0},
};

static known_name_t *find_known(const ngx_str_t *name)
{
    for (size_t i = 0; i < sizeof known_names / sizeof *known_names; i++) {
        known_name_t *one = &known_names[i];
        if (one->name.len == name->len
            && ngx_memcmp(one->name.data, name->data, name->len) == 0) {
            if (one->hash == 0) {
                one->hash = ngx_hash_strlow(one->low, name->data, name->len);
            }
            return one;
        }
    }
    return NULL;
}

/* --- Lines ---------------------------------------------------------------- */
/* How the line at the same place began that was read last: mostly the next one
 * begins so, too, and its colon need not be looked for. */
typedef struct {
    u_char text[48]; /* "Name: " */
    size_t size;     /* 0: nothing is known */
    known_name_t *known; /* of the name, or NULL */
} line_start_t;

enum { STARTS = 8 };

typedef struct {
    ngx_str_t name;
    ngx_str_t value;
    known_name_t *known;
} line_t;

static inline uint64_t word_at(const u_char *at)
{
    uint64_t word;

    ngx_memcpy(&word, at, sizeof word);
    return word;
}

/* By words: the last one overlaps the one before. size: 8 or more. */
static inline ngx_uint_t begins_so(const u_char *line,
                                   const line_start_t *start)
{
    size_t last = start->size - 8;
    uint64_t other = word_at(line + last) ^ word_at(start->text + last);

    for (size_t i = 0; i < last; i += 8) {
        other |= word_at(line + i) ^ word_at(start->text + i);
    }
    return other == 0;
}

/* Where the '\r' is; NULL: there is none. Numbers are short: it is mostly one
 * of the next eight bytes, in which its lowest bit is right. */
static inline u_char *find_return(u_char *at, const u_char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (end - at >= 8) {
        const uint64_t ones = 0x0101010101010101u;
        uint64_t zero = word_at(at) ^ ones * '\r';
        uint64_t hits = (zero - ones) & ~zero & ones << 7;
        if (hits != 0) {
            return at + __builtin_ctzll(hits) / 8;
        }
    }
#endif
    return memchr(at, '\r', (size_t) (end - at));
}

/* The name of a line that begins as none before; where its value is. NULL: no
 * line. */
static __attribute__((noinline)) u_char *
learn(u_char *at, const u_char *end, line_start_t *start, line_t *line)
{
    u_char *colon = memchr(at, ':', (size_t) (end - at));

    if (colon == NULL) {
        return NULL;
    }
    line->name.len = (size_t) (colon - at);
    line->known = find_known(&line->name);
    start->size = 0;
    if (end - colon < 2 || colon[1] != ' ') {
        return colon + 1;
    }
    size_t size = line->name.len + 2;
    if (size >= 8 && size <= sizeof start->text) {
        ngx_memcpy(start->text, at, size);
        start->size = size;
        start->known = line->known;
    }
    return colon + 2;
}

/* The "Name: value\r\n" at a place, and the next place; NULL: no line. */
static inline __attribute__((always_inline)) u_char *
next_line(u_char *at, u_char *end, line_start_t *start, line_t *line)
{
    u_char *value;

    line->name.data = at;
    if (start->size > 0 && start->size < (size_t) (end - at)
        && begins_so(at, start)) {
        line->name.len = start->size - 2;
        line->known = start->known;
        value = at + start->size;
    } else {
        value = learn(at, end, start, line);
        if (value == NULL) {
            return NULL;
        }
    }
    u_char *stop = find_return(value, end);
    if (stop == NULL) {
        return NULL;
    }
    line->value.data = value;
    line->value.len = (size_t) (stop - value);
    return end - stop > 2 ? stop + 2 : end;
}

/* One more header of the list, that of the line. */
typedef ngx_int_t made_header(ngx_http_request_t *r, ngx_table_elt_t *header,
                              const line_t *line);

/* starts: STARTS of them, of lines that come in this list. */
static inline __attribute__((always_inline)) ngx_int_t
add_lines(ngx_http_request_t *r, ngx_list_t *headers, const ngx_str_t *text,
          line_start_t *starts, made_header *made)
{
    u_char *at = text->data;
    u_char *end = at + text->len;
    line_t line;

    for (ngx_uint_t i = 0; at < end; i++) {
        at = next_line(at, end, &starts[i % STARTS], &line);
        if (at == NULL) {
            break;
        }
        ngx_table_elt_t *header = ngx_list_push(headers);
        if (header == NULL) {
            return NGX_ERROR;
        }
        ngx_memzero(header, sizeof *header);
        header->key = line.name;
        header->value = line.value;
        if (made(r, header, &line) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

static ngx_int_t show(ngx_http_request_t *r, ngx_table_elt_t *header,
                      const line_t *line)
{
    header->hash = 1;
    return NGX_OK;
}

ngx_int_t ngx_http_metering_add_answer_lines(ngx_http_request_t *r,
                                             const ngx_str_t *text)
{
    static line_start_t starts[STARTS];

    return add_lines(r, &r->headers_out.headers, text, starts, show);
}

/* --- What the client may not say ------------------------------------------ */
/* An underscore is as good as a hyphen: CGI makes the same of both. */
static ngx_uint_t is_same(const u_char *wanted, const u_char *name,
                          size_t size)
{
    for (size_t i = 0; i < size; i++) {
        u_char a = ngx_tolower(wanted[i]);
        u_char b = ngx_tolower(name[i]);
        if ((a == '_' ? '-' : a) != (b == '_' ? '-' : b)) {
            return 0;
        }
    }
    return 1;
}

/* lines: "Name\r\n" for each. */
static ngx_uint_t is_named(const char *lines, size_t size,
                           const ngx_str_t *name)
{
    const u_char *at = (const u_char *) lines;
    const u_char *end = at + size;

    while (at < end) {
        const u_char *stop = memchr(at, '\r', (size_t) (end - at));
        if (stop == NULL) {
            return 0;
        }
        if ((size_t) (stop - at) == name->len
            && is_same(at, name->data, name->len)) {
            return 1;
        }
        at = stop + 2;
    }
    return 0;
}

/* A bit for each length that a name has: most headers of a request are as long
 * as none of them. */
static uint64_t lengths_of(const char *lines, size_t size)
{
    const char *end = lines + size;
    uint64_t lengths = 0;

    while (lines < end) {
        const char *stop = memchr(lines, '\r', (size_t) (end - lines));
        if (stop == NULL) {
            break;
        }
        lengths |= (uint64_t) 1 << ngx_min(stop - lines, 63);
        lines = stop + 2;
    }
    return lengths;
}

/* The same names come again and again. */
static uint64_t known_lengths(const char *lines, size_t size)
{
    static char known[512];
    static size_t known_size;
    static uint64_t lengths;

    if (size != known_size || ngx_memcmp(lines, known, size) != 0) {
        lengths = lengths_of(lines, size);
        known_size = 0;
        if (size <= sizeof known) {
            ngx_memcpy(known, lines, size);
            known_size = size;
        }
    }
    return lengths;
}

static ngx_uint_t has_dropped(ngx_http_request_t *r, const char *names,
                              size_t size)
{
    uint64_t lengths = known_lengths(names, size);

    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        ngx_table_elt_t *header = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if ((lengths >> ngx_min(header[i].key.len, 63) & 1) != 0
                && is_named(names, size, &header[i].key)) {
                return 1;
            }
        }
    }
    return 0;
}

/* A new list: others point into the old one. */
static ngx_int_t drop(ngx_http_request_t *r, const char *names, size_t size)
{
    ngx_list_t kept;

    if (!has_dropped(r, names, size)) {
        return NGX_OK;
    }
    if (ngx_list_init(&kept, r->pool, 20, sizeof(ngx_table_elt_t))
        != NGX_OK) {
        return NGX_ERROR;
    }
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        ngx_table_elt_t *header = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (is_named(names, size, &header[i].key)) {
                if (&header[i] == r->headers_in.authorization) {
                    r->headers_in.authorization = NULL;
                }
                continue;
            }
            ngx_table_elt_t *place = ngx_list_push(&kept);
            if (place == NULL) {
                return NGX_ERROR;
            }
            *place = header[i];
        }
    }
    r->headers_in.headers = kept;
    /* The list's last part is the one inside, when it is the only one. */
    if (kept.last == &kept.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }
    return NGX_OK;
}

ngx_int_t ngx_http_metering_drop_names(ngx_http_request_t *r)
{
    static const char names[] =
        "X-Consumer-ID\r\nX-Consumer-Custom-ID\r\nX-Consumer-Username\r\n"
        "X-Credential-Identifier\r\nX-Anonymous-Consumer\r\n"
        "X-Consumer-Groups\r\nX-Authenticated-Groups\r\n";

    return drop(r, names, sizeof names - 1);
}

/* --- What we say ---------------------------------------------------------- */
static ngx_int_t set_name(ngx_http_request_t *r, ngx_table_elt_t *header,
                          const line_t *line)
{
    if (line->known != NULL) {
        header->hash = line->known->hash;
        header->lowcase_key = line->known->low;
        return NGX_OK;
    }
    header->lowcase_key = ngx_pnalloc(r->pool, line->name.len);
    if (header->lowcase_key == NULL) {
        return NGX_ERROR;
    }
    header->hash = ngx_hash_strlow(header->lowcase_key, line->name.data,
                                   line->name.len);
    return NGX_OK;
}

static ngx_int_t add(ngx_http_request_t *r, const ngx_str_t *text)
{
    static line_start_t starts[STARTS];

    return add_lines(r, &r->headers_in.headers, text, starts, set_name);
}

/* The key leaves the query also where the request line is shown or passed on
 * as it came: access logs, proxy_pass without a path. */
static ngx_int_t change_query(ngx_http_request_t *r, const char *query,
                              size_t size)
{
    u_char *end = r->unparsed_uri.data + r->unparsed_uri.len;
    u_char *mark = memchr(r->unparsed_uri.data, '?',
                          (size_t) (end - r->unparsed_uri.data));
    size_t path = mark != NULL ? (size_t) (mark - r->unparsed_uri.data)
                               : r->unparsed_uri.len;
    size_t line = r->method_name.len + 1 + path + 1 + size + 1
                  + r->http_protocol.len;
    u_char *text = ngx_pnalloc(r->pool, line);

    if (text == NULL) {
        return NGX_ERROR;
    }
    u_char *at = ngx_cpymem(text, r->method_name.data, r->method_name.len);
    *at++ = ' ';
    u_char *uri = at;
    at = ngx_cpymem(at, r->unparsed_uri.data, path);
    if (size > 0) {
        *at++ = '?';
    }
    r->args.data = at;
    r->args.len = size;
    at = ngx_cpymem(at, query, size);
    r->unparsed_uri.data = uri;
    r->unparsed_uri.len = (size_t) (at - uri);
    if (r->http_protocol.len > 0) {
        *at++ = ' ';
        at = ngx_cpymem(at, r->http_protocol.data, r->http_protocol.len);
    }
    r->request_line.data = text;
    r->request_line.len = (size_t) (at - text);
    return NGX_OK;
}

ngx_int_t ngx_http_metering_change_request(
    ngx_http_request_t *r, const met_gateway_decision *decision,
    const ngx_str_t *lines)
{
    size_t size = decision->upstream_query_size;
    /* Without names to drop nobody has looked at the request: it has no route,
     * or something failed. */
    ngx_uint_t is_looked_at = decision->drop_headers_size > 0;

    if (is_looked_at && r->args.len > 0
        && decision->reason != MET_GATEWAY_REASON_NO_ROUTE
        && decision->reason != MET_GATEWAY_REASON_FAILURE
        && (size != r->args.len
            || ngx_memcmp(decision->upstream_query, r->args.data, size)
                   != 0)
        && change_query(r, decision->upstream_query, size) != NGX_OK) {
        return NGX_ERROR;
    }
    if (!decision->is_admitted) {
        return NGX_OK;
    }
    if (!is_looked_at) {
        return ngx_http_metering_drop_names(r);
    }
    return drop(r, decision->drop_headers, decision->drop_headers_size)
                       == NGX_OK
                   && add(r, lines) == NGX_OK
               ? NGX_OK
               : NGX_ERROR;
}
