/* What something is taxed as. Rates are not the catalog's: the billing profile
 * has them.
 *
 * Document: {"behavior"?: "inclusive"|"exclusive", "tax_code"?: {"key"},
 *            "stripe"?: {"code": "txcd_…"}} */
#ifndef MET_CATALOG_TAX_CONFIG_H
#define MET_CATALOG_TAX_CONFIG_H

#include "document/document.h"

enum {
    MET__TAX_UNSET = 0,
    MET__TAX_INCLUSIVE, /* the price has it inside */
    MET__TAX_EXCLUSIVE  /* it comes on top; also what unset is taken for */
};

typedef struct met__tax_config {
    uint32_t behavior; /* MET__TAX_* */
    uint32_t reserved;
    met__text code;     /* key of a code of the profile; may be empty */
    met__text provider; /* code of a provider, kept and not read */
} met__tax_config;

met_error met__tax_config_read(const met__node *node, const met__path *path,
                               met__tax_config *config_out,
                               met_error_info *info);
/* Field by field; the two codes move as a pair. */
met__tax_config met__tax_config_merge(const met__tax_config *base,
                                      const met__tax_config *over);
#endif
