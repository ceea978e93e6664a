/* Reading and merging what something is taxed as. In: nodes. Out: structs.
 * Rule: OpenMeter, productcatalog/tax.go. */
#include "catalog/tax_config.h"

#include "base/limits.h"

#define PROVIDER_SIZE 13 /* txcd_ and eight digits */

static const char *const behaviors[] = {"inclusive", "exclusive", NULL};

static int is_provider_code(met__text code)
{
    int is_good = code.size == PROVIDER_SIZE
                  && memcmp(code.data, "txcd_", 5) == 0;

    for (size_t i = 5; is_good && i < PROVIDER_SIZE; i++) {
        is_good = code.data[i] >= '0' && code.data[i] <= '9';
    }
    return is_good;
}

/* {"key"} or {"code"}: one text in an object. */
static met_error read_inner(met__fields *fields, const char *name,
                            const char *member, met__text *out)
{
    const met__node *node = NULL;
    met__path path = {fields->path, name, 0};
    met__fields inner;

    if (met__fields_object(fields, name, MET__OPTIONAL, &node) != MET_OK
        || node == NULL) {
        return fields->error;
    }
    (void)met__fields_begin(&inner, node, &path, fields->info);
    (void)met__fields_text(&inner, member, MET__REQUIRED, 1,
                           MET__KEY_SIZE_MAX, out);
    fields->error = met__fields_end(&inner);
    return fields->error;
}

met_error met__tax_config_read(const met__node *node, const met__path *path,
                               met__tax_config *config_out,
                               met_error_info *info)
{
    met__tax_config config = {0};
    uint32_t behavior = UINT32_MAX;
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_choice(&fields, "behavior", MET__OPTIONAL, behaviors,
                             &behavior);
    (void)read_inner(&fields, "tax_code", "key", &config.code);
    (void)read_inner(&fields, "stripe", "code", &config.provider);
    config.behavior = behavior == UINT32_MAX
                          ? MET__TAX_UNSET
                          : behavior + MET__TAX_INCLUSIVE;
    if (fields.error == MET_OK && config.provider.size > 0
        && !is_provider_code(config.provider)) {
        (void)met__fields_fail(&fields, "stripe.code",
                               "must be txcd_ and eight digits");
    }
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        *config_out = config;
    }
    return error;
}

met__tax_config met__tax_config_merge(const met__tax_config *base,
                                      const met__tax_config *over)
{
    met__tax_config merged = *base;

    if (over->behavior != MET__TAX_UNSET) {
        merged.behavior = over->behavior;
    }
    if (over->code.size > 0 || over->provider.size > 0) {
        merged.code = over->code;
        merged.provider = over->provider;
    }
    return merged;
}
