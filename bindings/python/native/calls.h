/* Every call on a store that takes texts and numbers and answers with a
 * document: one row each, and Python can call it. The signature says what
 * Python gives, by the names in store.py: a text, a text or None (?), or a
 * number (#); then come the arguments in C. Whoever adds a row adds the method
 * to store.py. */
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
    X(billing_profile_get, "customer?", T0, OUT)                              \
    X(billing_profile_put, "customer? document", T0, T1, OUT)                 \
    X(billing_profile_remove, "customer?", T0, info)                          \
    X(catalog_apply, "document at# flags#", T0, AT0, U64(1), OUT)             \
    X(catalog_export, "", OUT)                                                \
    X(credential_rotate, "consumer document", T0, T1, OUT)                    \
    X(customer_erase, "key document", T0, T1, OUT)                            \
    X(customer_get, "key", T0, OUT)                                           \
    X(customer_list, "", OUT)                                                 \
    X(customer_of_subject, "subject", T0, OUT)                                \
    X(customer_put, "document", T0, OUT)                                      \
    X(customer_remove, "key", T0, info)                                       \
    X(customer_rename, "key document", T0, T1, OUT)                           \
    X(entitlement_create, "document flags#", T0, U64(0), OUT)                 \
    X(entitlement_get, "customer feature at#", T0, T1, AT0, OUT)              \
    X(entitlement_history, "customer feature from_# to# window#",             \
       T0, T1, AT0, AT1, U32(2), OUT)                                         \
    X(entitlement_list, "customer at#", T0, AT0, OUT)                         \
    X(entitlement_override, "document flags#", T0, U64(0), OUT)               \
    X(entitlement_remove, "customer feature", T0, T1, info)                   \
    X(entitlement_reset, "customer feature document", T0, T1, T2, OUT)        \
    X(event_explain, "source event_id", T0, T1, OUT)                          \
    X(event_list, "document", T0, OUT)                                        \
    X(event_retract, "document", T0, OUT)                                     \
    X(event_settings_get, "", OUT)                                            \
    X(event_settings_put, "document", T0, OUT)                                \
    X(feature_archive, "key", T0, info)                                       \
    X(feature_get, "key", T0, OUT)                                            \
    X(feature_list, "", OUT)                                                  \
    X(feature_put, "document", T0, OUT)                                       \
    X(gateway_entity_get, "kind name", T0, T1, OUT)                           \
    X(gateway_entity_list, "kind", T0, OUT)                                   \
    X(gateway_entity_remove, "kind name", T0, T1, info)                       \
    X(grant_create, "document flags#", T0, U64(0), OUT)                       \
    X(grant_get, "grant_id", T0, OUT)                                         \
    X(grant_list, "customer feature?", T0, T1, OUT)                           \
    X(grant_void, "grant_id at# flags#", T0, AT0, U64(1), OUT)                \
    X(invoice_act, "id_or_number action", T0, T1, OUT)                        \
    X(invoice_credit, "id_or_number document", T0, T1, OUT)                   \
    X(invoice_finalize, "customer as_of#", T0, AT0, OUT)                      \
    X(invoice_get, "id_or_number", T0, OUT)                                   \
    X(invoice_interim, "customer as_of#", T0, AT0, OUT)                       \
    X(invoice_list, "customer?", T0, OUT)                                     \
    X(invoice_preview, "customer as_of# flags#", T0, AT0, U64(1), OUT)        \
    X(invoice_recompute, "id_or_number flags#", T0, U64(0), OUT)              \
    X(invoice_usage, "id_or_number", T0, OUT)                                 \
    X(meter_get, "key", T0, OUT)                                              \
    X(meter_list, "", OUT)                                                    \
    X(meter_put, "document", T0, OUT)                                         \
    X(meter_remove, "key", T0, info)                                          \
    X(notice_ack, "notice_id flags#", T0, U64(0), info)                       \
    X(notice_list, "count#", U32(0), OUT)                                     \
    X(notice_next, "count# lease_s#", U32(0), AT1, OUT)                       \
    X(notice_rule_get, "key", T0, OUT)                                        \
    X(notice_rule_list, "", OUT)                                              \
    X(notice_rule_put, "document", T0, OUT)                                   \
    X(notice_rule_remove, "key", T0, info)                                    \
    X(plan_archive, "key", T0, info)                                          \
    X(plan_get, "key version# at#", T0, U32(0), AT1, OUT)                     \
    X(plan_list, "", OUT)                                                     \
    X(plan_next, "key", T0, OUT)                                              \
    X(plan_publish, "key at# flags#", T0, AT0, U64(1), OUT)                   \
    X(plan_put, "document", T0, OUT)                                          \
    X(plan_remove, "key version#", T0, U32(0), info)                          \
    X(store_backup, "path flags#", T0, U64(0), info)                          \
    X(store_check, "", OUT)                                                   \
    X(store_stats, "", OUT)                                                   \
    X(subject_erase, "subject document", T0, T1, OUT)                         \
    X(subject_rename, "subject document", T0, T1, OUT)                        \
    X(subscription_cancel, "subscription_id at# flags#",                      \
       T0, AT0, U64(1), OUT)                                                  \
    X(subscription_change, "subscription_id document at# flags#",             \
       T0, T1, AT0, U64(1), OUT)                                              \
    X(subscription_continue, "subscription_id", T0, OUT)                      \
    X(subscription_create, "document flags#", T0, U64(0), OUT)                \
    X(subscription_get, "subscription_id at#", T0, AT0, OUT)                  \
    X(subscription_list, "customer?", T0, OUT)                                \
    X(subscription_migrate, "subscription_id document at# flags#",            \
       T0, T1, AT0, U64(1), OUT)                                              \
    X(subscription_remove, "subscription_id", T0, info)                       \
    X(subscription_restore, "subscription_id", T0, OUT)                       \
    X(usage_adjust, "document", T0, OUT)                                      \
    X(usage_adjustment_list, "", OUT)                                         \
    X(usage_settings_get, "", OUT)                                            \
    X(usage_settings_put, "document", T0, OUT)

#endif
