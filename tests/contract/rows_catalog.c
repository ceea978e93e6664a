/* catalog.h, customer.h, entitlement.h, grant.h, notice.h. */
#include "contract/world.h"

/* --- Features and plans --------------------------------------------------- */
CALL(feature_put, w.store,
     J("{'key':'f','name':'F','description':'d','meter':{'key':'requests',"
       "'filters':{'service_name':{'or':[{'eq':'a'},{'in':['b','c']}]}}}}"),
     OUT)
CALL(feature_get, w.store, T("calls"), OUT)
CALL(feature_list, w.store, OUT)
CALL(feature_archive, w.store, T("calls"), INFO)
CALL(plan_put, w.store,
     J("{'key':'big','name':'B','currency':'USD','billing_cadence':'P1M',"
       "'phases':[{'key':'p','name':'P','rate_cards':[{'key':'fee','name':"
       "'F','price':{'type':'flat','amount':'7'}}]}]}"),
     OUT)
CALL(plan_next, w.store, T("basic"), OUT)
CALL(plan_publish, w.store, T("draft"), 0, 0, OUT)
CALL(plan_archive, w.store, T("premium"), INFO)
CALL(plan_remove, w.store, T("draft"), 0, INFO)
CALL(plan_get, w.store, T("basic"), 0, w.now_ns, OUT)
CALL(plan_list, w.store, OUT)
CALL(catalog_apply, w.store,
     J("{'features':[{'key':'f','name':'F'}],'customers':[{'key':'new',"
       "'name':'N'}],'subscriptions':[{'customer':{'key':'new'},'plan':"
       "{'key':'basic'}}],'consumers':[{'username':'new'}]}"),
     0, 0, OUT)
CALL(catalog_export, w.store, OUT)

/* --- Customers and subscriptions ------------------------------------------ */
#define BECAUSE "'reason':'asked for it','actor':'ada'}"

CALL(customer_put, w.store,
     J("{'key':'c','name':'C','usage_attribution':{'subject_keys':['s1',"
       "'s2']}}"),
     OUT)
CALL(customer_get, w.store, T("ada"), OUT)
CALL(customer_list, w.store, OUT)
CALL(customer_of_subject, w.store, T("consumer:ada"), OUT)
CALL(customer_remove, w.store, T("bob"), INFO)
CALL(customer_erase, w.store, T("bob"), J("{" BECAUSE), OUT)
CALL(customer_rename, w.store, T("bob"), J("{'to':'rob'," BECAUSE), OUT)
CALL(subject_erase, w.store, T("bob-1"), J("{" BECAUSE), OUT)
CALL(subject_rename, w.store, T("bob-1"), J("{'to':'bob-2'," BECAUSE), OUT)
CALL(audit_list, w.store, OUT)
CALL(subscription_create, w.store,
     J("{'customer':{'key':'fay'},'plan':{'key':'premium'}}"), 0, OUT)
CALL(subscription_cancel, w.store, ID(running), 0,
     MET_CANCEL_NEXT_BILLING_CYCLE, OUT)
CALL(subscription_continue, w.store, ID(canceled), OUT)
CALL(subscription_change, w.store, ID(running),
     J("{'plan':{'key':'premium'}}"), 0, 0, OUT)
CALL(subscription_migrate, w.store, ID(running), NULL, 0, 0,
     MET_CANCEL_NEXT_BILLING_CYCLE, OUT)
CALL(subscription_restore, w.store, ID(running), OUT)
CALL(subscription_remove, w.store, ID(scheduled), INFO)
CALL(subscription_get, w.store, ID(running), w.now_ns, OUT)
CALL(subscription_list, w.store, T("ada"), OUT)

static void change_later(void)
{
    assert_ok(met_subscription_change(w.store, ID(running),
                                      J("{'plan':{'key':'premium'}}"), 0,
                                      MET_CANCEL_NEXT_BILLING_CYCLE, NULL,
                                      NULL));
}

static void publish_next(void)
{
    assert_ok(met_plan_put(w.store,
                           J("{'key':'basic','name':'B','currency':'USD',"
                             "'billing_cadence':'P1M','phases':[{'key':'p',"
                             "'name':'P','rate_cards':[{'key':'fee','name':"
                             "'F'}]}]}"),
                           NULL, NULL));
    assert_ok(met_plan_publish(w.store, T("basic"), 0, 0, NULL, NULL));
}

/* --- Entitlements and grants ---------------------------------------------- */
#define METERED                                                         \
    "'feature':{'key':'calls'},'type':'metered','usage_period':{"     \
    "'interval':'P1M'},'issue_after_reset':'5'}"

CALL(entitlement_get, w.store, T("ada"), T("calls"), 0, OUT)
CALL(entitlement_list, w.store, T("ada"), 0, OUT)
CALL(entitlement_history, w.store, T("ada"), T("calls"), 0, 0,
     MET_HISTORY_DAY, OUT)
CALL(entitlement_create, w.store, J("{'customer':{'key':'fay'}," METERED), 0,
     OUT)
CALL(entitlement_override, w.store, J("{'customer':{'key':'cy'}," METERED), 0,
     OUT)
CALL(entitlement_remove, w.store, T("cy"), T("calls"), INFO)
CALL(entitlement_reset, w.store, T("ada"), T("calls"),
     J("{'preserve_overage':true}"), OUT)
CALL(grant_create, w.store,
     J("{'customer':{'key':'ada'},'feature':{'key':'calls'},'amount':'5',"
       "'recurrence':{'interval':'PT1H'},'metadata':{'a':'b'}}"),
     0, OUT)
CALL(grant_get, w.store, ID(grant), OUT)
CALL(grant_list, w.store, T("ada"), NULL, 0, OUT)
CALL(grant_void, w.store, ID(grant), 0, 0, OUT)

/* --- Notices -------------------------------------------------------------- */
CALL(notice_rule_put, w.store,
     J("{'key':'new','name':'N','features':['calls'],'type':"
       "'entitlements.balance.threshold','thresholds':[{'type':"
       "'usage_percentage','value':'50'}]}"),
     OUT)
CALL(notice_rule_get, w.store, T("warn"), OUT)
CALL(notice_rule_list, w.store, OUT)
CALL(notice_rule_remove, w.store, T("warn"), INFO)
CALL(notice_next, w.store, 10, 0, OUT)
CALL(notice_ack, w.store, ID(notice), 0, INFO)
CALL(notice_list, w.store, 10, OUT)

const contract_row catalog_rows[] = {
    ROW(feature_put, NULL, ROW_WRITES),
    ROW(feature_get, NULL, 0),
    ROW(feature_list, NULL, 0),
    ROW(feature_archive, NULL, ROW_WRITES),
    ROW(plan_put, NULL, ROW_WRITES),
    ROW(plan_next, NULL, ROW_WRITES),
    ROW(plan_publish, NULL, ROW_WRITES),
    ROW(plan_archive, NULL, ROW_WRITES),
    ROW(plan_remove, NULL, ROW_WRITES),
    ROW(plan_get, NULL, 0),
    ROW(plan_list, NULL, 0),
    ROW(catalog_apply, NULL, LATER),
    ROW(catalog_export, NULL, 0),
    ROW(customer_put, NULL, ROW_WRITES),
    ROW(customer_get, NULL, 0),
    ROW(customer_list, NULL, 0),
    ROW(customer_of_subject, NULL, 0),
    ROW(customer_remove, NULL, LATER),
    ROW(customer_erase, NULL, LATER),
    ROW(customer_rename, NULL, LATER),
    ROW(subject_erase, NULL, LATER),
    ROW(subject_rename, NULL, LATER),
    ROW(audit_list, NULL, 0),
    ROW(subscription_create, NULL, LATER),
    ROW(subscription_cancel, NULL, LATER),
    ROW(subscription_continue, NULL, LATER),
    ROW(subscription_change, NULL, LATER),
    ROW(subscription_migrate, publish_next, LATER),
    ROW(subscription_restore, change_later, LATER),
    ROW(subscription_remove, NULL, LATER),
    ROW(subscription_get, NULL, 0),
    ROW(subscription_list, NULL, 0),
    ROW(entitlement_get, NULL, 0),
    ROW(entitlement_list, NULL, 0),
    ROW(entitlement_history, NULL, 0),
    ROW(entitlement_create, NULL, LATER),
    ROW(entitlement_override, NULL, LATER),
    ROW(entitlement_remove, NULL, LATER),
    ROW(entitlement_reset, NULL, LATER),
    ROW(grant_create, NULL, LATER),
    ROW(grant_get, NULL, 0),
    ROW(grant_list, NULL, 0),
    ROW(grant_void, NULL, LATER),
    ROW(notice_rule_put, NULL, ROW_WRITES),
    ROW(notice_rule_get, NULL, 0),
    ROW(notice_rule_list, NULL, 0),
    ROW(notice_rule_remove, NULL, ROW_WRITES),
    ROW(notice_next, NULL, ROW_WRITES),
    ROW(notice_ack, NULL, ROW_WRITES),
    ROW(notice_list, NULL, 0),
};
const size_t catalog_row_count = sizeof catalog_rows / sizeof *catalog_rows;
