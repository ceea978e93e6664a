package metering_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"libmetering/metering"
)

// member is a text of a document.
func member(t *testing.T, document metering.Document, name string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(document, &members); err != nil {
		t.Fatal(err)
	}
	text, _ := members[name].(string)
	return text
}

func TestCatalogCalls(t *testing.T) {
	store := newStory(t)
	must(store.NextPlan("free"))
	must(store.PublishPlan("free", time.Time{}))
	if got := member(t, must(store.Plan("free", 2)), "status"); got != "active" {
		t.Error(got)
	}
	before := time.Now().Add(-time.Hour)
	if got := member(t, must(store.PlanAt("free", 2, before)),
		"status"); got != "scheduled" {
		t.Error(got)
	}
	_, err := store.PlanAt("none", 0, time.Time{})
	wantCode(t, err, metering.ErrNotFound, "")
	must(store.NextPlan("free"))
	if err := store.RemovePlan("free", 3); err != nil {
		t.Error(err)
	}
	must(store.PutFeature([]byte(`{"key": "extra", "name": "Extra"}`)))
	if err := store.ArchiveFeature("extra"); err != nil {
		t.Error(err)
	}
	must(store.Feature("example_service"))
	must(store.Features())
	must(store.Plans())
	if got := must(store.GatewayEntities("consumer")); len(got) != 3 {
		t.Error(len(got))
	}
	must(store.GatewayEntity("consumer", "guest"))
	if err := store.RemoveGatewayEntity("consumer", "guest"); err != nil {
		t.Error(err)
	}
	export := must(store.Export())
	copied := newStore(t)
	must(copied.ApplyAt(export, time.Time{}))
	must(store.PutUsageSettings([]byte(`{"keep_minutes": "P40D"}`)))
	if got := member(t, must(store.UsageSettings()), "keep_minutes"); got != "P40D" {
		t.Error(got)
	}
	must(store.PutEventSettings([]byte(`{"retain": "P10D"}`)))
	must(store.EventSettings())
	ingest := must(store.Ingest())
	defer ingest.Close()
	must(ingest.Add([]metering.SourceEvent{{ID: "1", Source: "s",
		Event: metering.Event{Type: "kong.api_request", Subject: "a"}}}, nil))
	if got := member(t, must(store.ExplainEvent("s", "1")), "status"); got != "accepted" {
		t.Error(got)
	}
	must(store.Events([]byte(`{}`)))
	must(store.RetractEvent([]byte(
		`{"source": "s", "id": "1", "reason": "test", "actor": "me"}`)))
	must(store.UsageAdjustments())
	if err := store.ArchivePlan("free"); err != nil {
		t.Error(err)
	}
}

func TestCustomerCalls(t *testing.T) {
	store := newStory(t)
	subscriptions := must(store.Subscriptions("ariel"))
	if len(subscriptions) != 1 || len(must(store.Subscriptions(""))) != 2 {
		t.Fatal(len(subscriptions))
	}
	id := member(t, subscriptions[0], "id")
	must(store.CancelSubscription(id, time.Time{}, metering.AtNextCycle))
	must(store.ContinueSubscription(id))
	changed := must(store.ChangeSubscription(id,
		[]byte(`{"plan": {"key": "premium"}}`), time.Time{},
		metering.AtNextCycle))
	if len(changed) == 0 {
		t.Error("no answer")
	}
	must(store.RestoreSubscription(id))
	must(store.Subscription(id))
	ended := must(store.SubscriptionAt(id, time.Now().AddDate(-1, 0, 0)))
	if got := member(t, ended, "status"); got != "scheduled" {
		t.Error(got)
	}
	_, err := store.MigrateSubscription(id, []byte(`{}`), time.Time{})
	if err == nil {
		t.Error("there is no later version")
	}
	wantCode(t, store.RemoveSubscription(id), metering.ErrConflict, "")
	wantCode(t, store.RemoveCustomer("ariel"), metering.ErrConflict, "")
	must(store.PutCustomer([]byte(`{"key": "new", "name": "New",
		"usage_attribution": {"subject_keys": ["s1"]}}`)))
	must(store.CustomerOfSubject("s1"))
	who := `"reason": "asked", "actor": "me"}`
	must(store.RenameCustomer("new", []byte(`{"to": "newer", `+who)))
	must(store.RenameSubject("s1", []byte(`{"to": "s2", `+who)))
	must(store.EraseSubject("s2", []byte(`{`+who)))
	must(store.EraseCustomer("newer", []byte(`{`+who)))
	if got := must(store.Audit()); len(got) < 4 {
		t.Error(len(got))
	}
	_, err = store.CreateSubscription([]byte(
		`{"customer": {"key": "none"}, "plan": {"key": "free"}}`),
		metering.AllowPast)
	wantCode(t, err, metering.ErrNotFound, "")
}

func TestEntitlementCalls(t *testing.T) {
	store := newStory(t)
	must(store.PutNoticeRule([]byte(`{"key": "used", "name": "Used",
		"type": "entitlements.balance.threshold",
		"thresholds": [{"type": "usage_value", "value": "1"}]}`)))
	must(store.NoticeRule("used"))
	must(store.NoticeRules())
	grant := must(store.CreateGrant([]byte(`{"customer": {"key": "ariel"},
		"feature": {"key": "example_service"}, "amount": "50"}`)))
	id := member(t, grant, "id")
	left := must(store.Entitlement("ariel", "example_service", time.Time{}))
	if left.Balance.String() != "1050" {
		t.Error(left.Balance)
	}
	must(store.Grant(id))
	if got := must(store.Grants("ariel", "example_service")); !strings.Contains(string(got), id) {
		t.Errorf("%s", got)
	}
	must(store.VoidGrant(id, time.Time{}))
	all := must(store.Entitlements("ariel", time.Time{}))
	if len(all) != 1 || all[0].Balance.String() != "1000" {
		t.Errorf("%+v", all)
	}
	must(store.EntitlementHistory("ariel", "example_service", time.Time{},
		time.Time{}, false))
	wantCode(t, store.RemoveEntitlement("ariel", "example_service"),
		metering.ErrConflict, "")
	recorder := must(store.Recorder(metering.RecorderOptions{}))
	defer recorder.Close()
	for i := 0; i < 3; i++ {
		if err := recorder.Record(metering.Event{Type: "kong.api_request",
			Subject: "consumer:ariel", Attributes: []metering.Pair{
				{Name: "service_name", Value: "example_service"}}}); err != nil {
			t.Fatal(err)
		}
	}
	must(store.Settle())
	if got := must(store.Notices(10)); !strings.Contains(string(got), `"waiting":1`) {
		t.Errorf("%s", got)
	}
	notices := must(store.NextNotices(10, time.Minute))
	if len(notices) != 1 {
		t.Fatal(len(notices))
	}
	if err := store.AckNotice(member(t, notices[0], "id")); err != nil {
		t.Error(err)
	}
	if err := store.RemoveNoticeRule("used"); err != nil {
		t.Error(err)
	}
}

func TestBillingCalls(t *testing.T) {
	store, clock, begin := usedStory(t)
	if err := clock.Set(begin.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	must(store.Settle())
	must(store.PutBillingProfile("", []byte(`{"workflow": {"invoicing": {"draft_period": "P0D"}}}`)))
	must(store.BillingProfile(""))
	steps := 0
	billed := must(store.BillingRun(time.Time{}, func(metering.Billed) bool {
		steps++
		return true
	}))
	if !billed.IsDone || billed.Failed != 0 {
		t.Errorf("%+v", billed)
	}
	must(store.Invoices(""))
	must(store.Invoices("rosario"))
	_, err := store.Invoice("INV-9999")
	wantCode(t, err, metering.ErrNotFound, "")
	_, err = store.InvoiceInterim("nobody", time.Time{})
	wantCode(t, err, metering.ErrNotFound, "")
	interim := must(store.InvoiceInterim("rosario", time.Time{}))
	if !strings.Contains(string(interim), `"is_interim":true`) {
		t.Errorf("%s", interim)
	}
	_, err = store.InvoiceAct("INV-9999", "void")
	wantCode(t, err, metering.ErrNotFound, "")
	_, err = store.CreditInvoice("INV-9999", []byte(`{}`))
	if err == nil {
		t.Error("a credit note to nothing")
	}
	_, err = store.RecomputeInvoice("INV-9999", true)
	wantCode(t, err, metering.ErrNotFound, "")
	preview := must(store.InvoicePreview("rosario", time.Time{}, true))
	for format, want := range map[metering.InvoiceFormat]string{
		metering.InvoiceAsText: "INVOICE", metering.InvoiceAsHTML: "<html",
		metering.InvoiceAsCSV: ",", metering.InvoiceAsJSON: "{"} {
		if got := must(metering.RenderInvoice(preview, format)); !strings.Contains(got, want) {
			t.Errorf("%d: %.200s", format, got)
		}
	}
	_, err = metering.RenderInvoice(preview, 99)
	wantCode(t, err, metering.ErrUnsupported, "")
}

func TestMetrics(t *testing.T) {
	store := newStory(t)
	if got := must(store.Metrics()); !strings.Contains(got, "metering_store_") ||
		!strings.HasSuffix(got, "# EOF\n") {
		t.Error(got)
	}
	if got := must(newLimiter(t, metering.LimiterOptions{}).Metrics()); !strings.Contains(got, "metering_limiter_") {
		t.Error(got)
	}
	answer := httptest.NewRecorder()
	store.MetricsHandler().ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	if answer.Code != 200 || !strings.Contains(answer.Body.String(), "_total ") {
		t.Error(answer.Code, answer.Body)
	}
	store.Close()
	answer = httptest.NewRecorder()
	store.MetricsHandler().ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	if answer.Code != 500 {
		t.Error(answer.Code)
	}
}
