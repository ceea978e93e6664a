/* Reads the unit conversion of a rate card out of documents: bytes are counted,
 * gigabytes are billed.
 *
 * Rules: OpenMeter's product catalog (unit config). */
#include "catalog/price.h"
#include "catalog/problems.h"

#define DISPLAY_UNIT_SIZE_MAX 64
#define PRECISION_MAX INT64_C(2147483647) /* an int32 in the peer */

static void read_precision(met__rules *rules, met__unit_config *config)
{
    int64_t places = 0;

    /* Without rounding it is ignored, whatever it is. */
    if (config->rounding == 0) {
        met__fields_integer(&rules->fields, "precision", MET__OPTIONAL,
                            INT64_MIN, INT64_MAX, &places);
        places = 0;
    } else {
        met__fields_integer(&rules->fields, "precision", MET__OPTIONAL, 0,
                            PRECISION_MAX, &places);
    }
    met__rules_settle(rules, "unit_config_precision_invalid");
    config->places = (uint32_t)places;
}

void met__unit_config_collect(met__problems *list, const met__node *node,
                              const met__path *path, met__unit_config *config)
{
    static const char *const operations[] = {"multiply", "divide", NULL};
    static const char *const roundings[] = {"none", "ceiling", "floor",
                                            "half_up", NULL};
    static const uint32_t modes[] = {0, MET_ROUND_CEILING, MET_ROUND_FLOOR,
                                     MET_ROUND_HALF_AWAY};
    uint32_t operation = 0;
    uint32_t rounding = 0;
    met__text display_unit;
    met__rules rules;

    if (!met__rules_begin(&rules, list, node, path, "unit_config_invalid")) {
        return;
    }
    met__fields_choice(&rules.fields, "operation", MET__REQUIRED, operations,
                       &operation);
    met__rules_settle(&rules, "unit_config_operation_invalid");
    config->operation = operation + 1;
    if (met__rules_amount(&rules, "conversion_factor", MET__REQUIRED,
                          "unit_config_factor_invalid", &config->factor, NULL)
        && met__decimal_is_zero(config->factor)) {
        met__rules_refuse(&rules, "conversion_factor",
                          "unit_config_factor_invalid", "must be more than 0");
    }
    met__fields_choice(&rules.fields, "rounding", MET__OPTIONAL, roundings,
                       &rounding);
    met__rules_settle(&rules, "unit_config_rounding_invalid");
    config->rounding = modes[rounding];
    read_precision(&rules, config);
    met__fields_text(&rules.fields, "display_unit", MET__OPTIONAL, 1,
                     DISPLAY_UNIT_SIZE_MAX, &display_unit);
    met__rules_settle(&rules, "unit_config_display_unit_invalid");
    met__rules_end(&rules, "unit_config_field_unknown");
}

met_error met__unit_config_read(const met__node *node, const met__path *path,
                                met__arena *arena, met__unit_config **out,
                                met_error_info *info)
{
    met__problems list;
    met__unit_config *config = met__arena_allocate(arena, sizeof *config);

    if (config == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__problems_begin(&list, arena, NULL);
    met__unit_config_collect(&list, node, path, config);
    met_error error = met__problems_end(&list, info);
    if (error == MET_OK) {
        *out = config;
    }
    return error;
}
