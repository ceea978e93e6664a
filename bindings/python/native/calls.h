/* Every call on a store that takes texts and numbers and answers with a
 * document: one row each, and Python can call it. The signature says what
 * Python gives: t a text, o a text or None, n a number; then come the arguments
 * in C. Whoever adds a row adds the method to store.py. */
#ifndef METERING_NATIVE_CALLS_H
#define METERING_NATIVE_CALLS_H

#define T0 a->text[0], a->size[0]
#define T1 a->text[1], a->size[1]
#define T2 a->text[2], a->size[2]
#define AT0 a->number[0]
#define AT1 a->number[1]
#define U32(i) (uint32_t)a->number[i]
#define U64(i) (uint64_t)a->number[i]
#define OUT out, info

#define NATIVE_CALLS(X)                                                       \
    X(audit_list, "", OUT)                                                    \
    X(billing_profile_get, "o", T0, OUT)                                      \
    X(billing_profile_put, "ot", T0, T1, OUT)                                 \
    X(billing_profile_remove, "o", T0, info)                                  \
    X(catalog_apply, "tnn", T0, AT0, U64(1), OUT)                             \
    X(catalog_export, "", OUT)                                                \
    X(credential_rotate, "tt", T0, T1, OUT)                                   \
    X(customer_erase, "tt", T0, T1, OUT)                                      \
    X(customer_get, "t", T0, OUT)                                             \
    X(customer_list, "", OUT)                                                 \
    X(customer_of_subject, "t", T0, OUT)                                      \
    X(customer_put, "t", T0, OUT)                                             \
    X(customer_remove, "t", T0, info)                                         \
    X(customer_rename, "tt", T0, T1, OUT)                                     \
    X(entitlement_create, "tn", T0, U64(0), OUT)                              \
    X(entitlement_get, "ttn", T0, T1, AT0, OUT)                               \
    X(entitlement_history, "ttnnn", T0, T1, AT0, AT1, U32(2), OUT)            \
    X(entitlement_list, "tn", T0, AT0, OUT)                                   \
    X(entitlement_override, "tn", T0, U64(0), OUT)                            \
    X(entitlement_remove, "tt", T0, T1, info)                                 \
    X(entitlement_reset, "ttt", T0, T1, T2, OUT)                              \
    X(event_explain, "tt", T0, T1, OUT)                                       \
    X(event_list, "t", T0, OUT)                                               \
    X(event_retract, "t", T0, OUT)                                            \
    X(event_settings_get, "", OUT)                                            \
    X(event_settings_put, "t", T0, OUT)                                       \
    X(feature_archive, "t", T0, info)                                         \
    X(feature_get, "t", T0, OUT)                                              \
    X(feature_list, "", OUT)                                                  \
    X(feature_put, "t", T0, OUT)                                              \
    X(gateway_entity_get, "tt", T0, T1, OUT)                                  \
    X(gateway_entity_list, "t", T0, OUT)                                      \
    X(gateway_entity_remove, "tt", T0, T1, info)                              \
    X(grant_create, "tn", T0, U64(0), OUT)                                    \
    X(grant_get, "t", T0, OUT)                                                \
    X(grant_list, "to", T0, T1, OUT)                                          \
    X(grant_void, "tnn", T0, AT0, U64(1), OUT)                                \
    X(invoice_act, "tt", T0, T1, OUT)                                         \
    X(invoice_credit, "tt", T0, T1, OUT)                                      \
    X(invoice_finalize, "tn", T0, AT0, OUT)                                   \
    X(invoice_get, "t", T0, OUT)                                              \
    X(invoice_interim, "tn", T0, AT0, OUT)                                    \
    X(invoice_list, "o", T0, OUT)                                             \
    X(invoice_preview, "tnn", T0, AT0, U64(1), OUT)                           \
    X(invoice_recompute, "tn", T0, U64(0), OUT)                               \
    X(invoice_usage, "t", T0, OUT)                                            \
    X(meter_get, "t", T0, OUT)                                                \
    X(meter_list, "", OUT)                                                    \
    X(meter_put, "t", T0, OUT)                                                \
    X(meter_remove, "t", T0, info)                                            \
    X(notice_ack, "tn", T0, U64(0), info)                                     \
    X(notice_list, "n", U32(0), OUT)                                          \
    X(notice_next, "nn", U32(0), AT1, OUT)                                    \
    X(notice_rule_get, "t", T0, OUT)                                          \
    X(notice_rule_list, "", OUT)                                              \
    X(notice_rule_put, "t", T0, OUT)                                          \
    X(notice_rule_remove, "t", T0, info)                                      \
    X(plan_archive, "t", T0, info)                                            \
    X(plan_get, "tnn", T0, U32(0), AT1, OUT)                                  \
    X(plan_list, "", OUT)                                                     \
    X(plan_next, "t", T0, OUT)                                                \
    X(plan_publish, "tnn", T0, AT0, U64(1), OUT)                              \
    X(plan_put, "t", T0, OUT)                                                 \
    X(plan_remove, "tn", T0, U32(0), info)                                    \
    X(store_backup, "tn", T0, U64(0), info)                                   \
    X(store_check, "", OUT)                                                   \
    X(store_stats, "", OUT)                                                   \
    X(subject_erase, "tt", T0, T1, OUT)                                       \
    X(subject_rename, "tt", T0, T1, OUT)                                      \
    X(subscription_cancel, "tnn", T0, AT0, U64(1), OUT)                       \
    X(subscription_change, "ttnn", T0, T1, AT0, U64(1), OUT)                  \
    X(subscription_continue, "t", T0, OUT)                                    \
    X(subscription_create, "tn", T0, U64(0), OUT)                             \
    X(subscription_get, "tn", T0, AT0, OUT)                                   \
    X(subscription_list, "o", T0, OUT)                                        \
    X(subscription_migrate, "ttnn", T0, T1, AT0, U64(1), OUT)                 \
    X(subscription_remove, "t", T0, info)                                     \
    X(subscription_restore, "t", T0, OUT)                                     \
    X(usage_adjust, "t", T0, OUT)                                             \
    X(usage_adjustment_list, "", OUT)                                         \
    X(usage_settings_get, "", OUT)                                            \
    X(usage_settings_put, "t", T0, OUT)

#endif
