/* All rows, in the order of their files. */
#include "contract/world.h"

const char *only_function;

void each_row(void (*check)(const contract_row *row))
{
    const struct {
        const contract_row *rows;
        size_t count;
    } tables[] = {
        {catalog_rows, catalog_row_count}, {usage_rows, usage_row_count},
        {billing_rows, billing_row_count}, {gateway_rows, gateway_row_count},
        {pure_rows, pure_row_count},
    };

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (size_t k = 0; k < tables[i].count; k++) {
            const contract_row *row = &tables[i].rows[k];
            if (only_function == NULL
                || strcmp(only_function, row->function) == 0) {
                check(row);
            }
        }
    }
}

void begin_row(const contract_row *row)
{
    world_close_handles();
    if (row->before != NULL) {
        row->before();
    }
}

met_error attempt_row(const contract_row *row)
{
    met_buffer_release(&w.out);
    w.told = (met_error_info){.struct_size = sizeof w.told};
    return row->run();
}
