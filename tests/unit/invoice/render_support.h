/* For tests of renderings: a document in, text out, and what memory does. */
#ifndef TESTS_UNIT_INVOICE_RENDER_SUPPORT_H
#define TESTS_UNIT_INVOICE_RENDER_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "invoice/invoice.h"
#include "support/faults.h"

static met__platform platform;
static faulty_memory memory;

typedef void (*rendering)(const met__node *invoice, met__buffer *buffer);

/* In a buffer that the next call releases. */
static inline const char *render_by(rendering render, const char *json)
{
    static met__buffer buffer;
    met__arena arena;
    met__node *node = NULL;

    met__buffer_release(&buffer);
    met__buffer_init(&buffer, &platform);
    met__arena_init(&arena, &platform);
    assert_int_equal(
        met__json_parse(&arena, met__text_z(json), &node, NULL), MET_OK);
    render(node, &buffer);
    met__buffer_byte(&buffer, '\0');
    met__arena_release(&arena);
    assert_int_equal(buffer.error, MET_OK);
    return buffer.data;
}

/* Every allocation fails in turn: the buffer knows, and nothing is lost. */
static inline void sweep_render(rendering render, const char *json)
{
    met__buffer buffer;
    met__arena arena;
    met__node *node = NULL;
    int done = 0;

    met__arena_init(&arena, &platform);
    assert_int_equal(
        met__json_parse(&arena, met__text_z(json), &node, NULL), MET_OK);
    for (long k = 1; !done; k++) {
        long live = memory.live;
        met__buffer_init(&buffer, &platform);
        memory.calls = 0;
        memory.fail_at = k;
        render(node, &buffer);
        memory.fail_at = 0;
        done = memory.calls < k;
        assert_int_equal(buffer.error, done ? MET_OK : MET_E_NO_MEMORY);
        met__buffer_release(&buffer);
        assert_int_equal(memory.live, live);
    }
    met__arena_release(&arena);
}

static inline int render_setup(void **state)
{
    (void)state;
    memset(&memory, 0, sizeof memory);
    platform = faulty_platform(&memory, NULL);
    return 0;
}

#define MONTH                                                     \
    "{\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"2026-02-01T00:00:00Z\"}"

/* A line with everything that a line may have. */
#define RICH_LINE                                                             \
    "{\"key\":\"api\",\"name\":\"API\",\"plan\":{\"key\":\"p\",\"name\":"      \
    "\"Premium\"},\"period\":" MONTH ",\"full_period\":" MONTH                 \
    ",\"is_open\":true,\"is_correction\":true,\"quantity\":\"1234567\","       \
    "\"quantity_total\":\"1234577\",\"quantity_billed_before\":\"10\","        \
    "\"price\":{\"type\":\"graduated\",\"tiers\":[{\"up_to\":\"1000\","        \
    "\"flat\":\"5\"},{\"unit\":\"0.002\"}],\"commitments\":{\"minimum\":"      \
    "\"10\",\"maximum\":\"500\"}},\"discounts\":{\"usage\":\"100\","           \
    "\"percentage\":\"10\"},\"tax\":{\"code\":\"vat\",\"name\":\"VAT\","       \
    "\"rate\":\"27\"},\"detailed_lines\":[{\"name\":\"API: usage in period\"," \
    "\"explanation\":\"2 x 3\",\"quantity\":\"2\",\"per_unit_amount\":\"3\","  \
    "\"discounts\":[{\"reason\":\"ratecard_percentage\",\"amount\":\"1.00\"}]" \
    ",\"totals\":{\"amount\":\"6.00\"}},{\"name\":\"Other\",\"explanation\":"  \
    "\"3 packages of 5 x 2\",\"totals\":{\"amount\":\"6.00\"}}],\"totals\":"   \
    "{\"amount\":\"12.00\",\"taxes_exclusive_total\":\"2.97\",\"total\":"      \
    "\"13.97\"},\"usage\":{\"by_day\":{\"from\":\"2026-01-01T00:00:00Z\","     \
    "\"quantities\":[\"0\",\"12\",\"-3\",\"0.0001\",\"210\"]},"                \
    "\"by_dimension\":[{\"dimension\":\"route\",\"values\":[{\"value\":\"/a\"" \
    ",\"quantity\":\"75\"},{\"value\":\"\",\"quantity\":\"5\"}],\"others\":"   \
    "{\"values\":7,\"quantity\":\"20\"}}]}}"
#define RICH                                                                  \
    "{\"number\":\"INV-7\",\"type\":\"standard\",\"status\":\"issued\","       \
    "\"currency\":\"USD\",\"customer\":{\"key\":\"k\",\"name\":\"Name\"},"     \
    "\"service_period\":" MONTH ",\"issued_at\":\"2026-02-01T00:05:00Z\","     \
    "\"due_at\":\"2026-03-03T00:05:00Z\",\"billing_profile\":{\"supplier\":"   \
    "{\"name\":\"Acme\",\"tax_id\":\"T1\",\"address\":{\"line1\":\"Street 1\"" \
    ",\"more\":[\"City\"]}}},\"lines\":[" RICH_LINE "],\"totals\":{\"amount\"" \
    ":\"12.00\",\"discounts_total\":\"1.00\",\"taxes_exclusive_total\":"       \
    "\"2.97\",\"taxes_inclusive_total\":\"0.50\",\"total\":\"13.97\"}}"

#endif
