/* Puts the tax on a line. In: the rules, what the line is to be taxed as, its
 * totals. Out: totals with the tax in them, and {"code", "name"?, "behavior",
 * "rate"}. */
#include "invoice/line_tax.h"

#include "store/object.h"

met_error met__line_tax(const met__tax_rules *rules,
                        const met__tax_config *config,
                        const met__currency *currency, met__tax_sums *sums,
                        met__totals *totals, met__arena *arena,
                        met__node **node_out)
{
    const met__tax_code *code = met__tax_code_of(rules, config);
    uint32_t behavior = config->behavior == MET__TAX_INCLUSIVE
                            ? MET__TAX_INCLUSIVE
                            : MET__TAX_EXCLUSIVE;
    met__builder builder;

    *node_out = NULL;
    if (code == NULL || !rules->is_enabled) {
        return MET_OK;
    }
    met_error error =
        met__tax_apply(rules, code, behavior, currency, sums, totals);
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    met__build_text(&builder, "code", code->key);
    met__build_text(&builder, "name", code->name);
    met__build_text(&builder, "behavior",
                    behavior == MET__TAX_INCLUSIVE ? MET__TEXT("inclusive")
                                                   : MET__TEXT("exclusive"));
    met__build_decimal(&builder, "rate", code->rate);
    return met__builder_end(&builder, node_out);
}
