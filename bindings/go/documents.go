package metering

// #include <metering/metering.h>
//
// typedef met_error metgo_put(met_store *, const char *, size_t, met_buffer *,
//                             met_error_info *);
// typedef met_error metgo_remove(met_store *, const char *, size_t,
//                                met_error_info *);
// typedef met_error metgo_list(met_store *, met_buffer *, met_error_info *);
//
// static inline met_error metgo_call_put(metgo_put *call, met_store *store,
//     const char *text, size_t size, met_buffer *out, met_error_info *info)
// {
//     return call(store, text, size, out, info);
// }
//
// static inline met_error metgo_call_remove(metgo_remove *call,
//     met_store *store, const char *text, size_t size, met_error_info *info)
// {
//     return call(store, text, size, info);
// }
//
// static inline met_error metgo_call_list(metgo_list *call, met_store *store,
//     met_buffer *out, met_error_info *info)
// {
//     return call(store, out, info);
// }
import "C"

import (
	"encoding/json"
	"time"
)

// put is a call that takes a document, or a key, and answers with a document.
func (s *Store) put(call *C.metgo_put, text []byte) (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.metgo_call_put(call, c, bytesPointer(text),
			C.size_t(len(text)), out, &info.c)
	})
}

func (s *Store) remove(call *C.metgo_remove, key string) error {
	text, size := cText(key)
	return s.call(func(c *C.met_store, info *callInfo) C.met_error {
		return C.metgo_call_remove(call, c, text, size, &info.c)
	})
}

// list gives the items of a list.
func (s *Store) list(call *C.metgo_list) ([]Document, error) {
	return items(s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.metgo_call_list(call, c, out, &info.c)
	}))
}

func items(list Document, err error) ([]Document, error) {
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Items []Document `json:"items"`
	}
	err = json.Unmarshal(list, &parsed)
	return parsed.Items, err
}

// Apply brings the store to what a document says: meters, features, plans,
// customers, subscriptions and the gateway's entities, in one transaction. The
// same document again changes nothing. The answer says what changed.
func (s *Store) Apply(document []byte) (Document, error) {
	return s.apply(document, time.Time{}, 0)
}

// ApplyAt is Apply at another time, for tests and imports.
func (s *Store) ApplyAt(document []byte, at time.Time) (Document, error) {
	return s.apply(document, at, 0)
}

// ApplyDryRun says what Apply would change, and changes nothing.
func (s *Store) ApplyDryRun(document []byte) (Document, error) {
	return s.apply(document, time.Time{}, C.MET_APPLY_DRY_RUN)
}

func (s *Store) apply(document []byte, at time.Time,
	flags C.uint64_t) (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_catalog_apply(c, bytesPointer(document),
			C.size_t(len(document)), utcNs(at), flags, out, &info.c)
	})
}

// Entitlement is what a customer may use of a feature. Amounts are nil when the
// entitlement is not metered.
type Entitlement struct {
	FeatureKey     string   `json:"feature_key"`
	Type           string   `json:"type"` // "metered", "static", "boolean"
	HasAccess      bool     `json:"has_access"`
	Balance        *Decimal `json:"balance"`
	Usage          *Decimal `json:"usage"`
	Overage        *Decimal `json:"overage"`
	TotalAvailable *Decimal `json:"total_available"`
	IsSoftLimit    bool     `json:"is_soft_limit"`
	// CurrentUsagePeriod is that of a metered one.
	CurrentUsagePeriod *struct {
		From time.Time `json:"from"`
		To   time.Time `json:"to"`
	} `json:"current_usage_period"`
	Config Document `json:"config"`
	Reason string   `json:"reason"` // without access: why
}

// Entitlement is what a customer may use of a feature at a time; the zero time
// is now. Who has no access gets an answer, not an error.
func (s *Store) Entitlement(customer, feature string,
	at time.Time) (Entitlement, error) {
	var parsed Entitlement
	customerText, customerSize := cText(customer)
	featureText, featureSize := cText(feature)
	document, err := s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_entitlement_get(c, customerText, customerSize,
			featureText, featureSize, utcNs(at), out, &info.c)
	})
	if err == nil {
		err = json.Unmarshal(document, &parsed)
	}
	return parsed, err
}

// InvoicePreview is what would be billed to a customer; with isOpen also the
// periods that still run. It stores nothing.
func (s *Store) InvoicePreview(customer string, asOf time.Time,
	isOpen bool) (Document, error) {
	flags := C.uint64_t(0)
	if isOpen {
		flags = C.MET_INVOICE_OPEN_PERIOD
	}
	text, size := cText(customer)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_invoice_preview(c, text, size, utcNs(asOf), flags, out,
			&info.c)
	})
}

// InvoiceFinalize bills what is due: the invoice is stored, numbered and final.
// [ErrConflict] when nothing is due.
func (s *Store) InvoiceFinalize(customer string,
	asOf time.Time) (Document, error) {
	text, size := cText(customer)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_invoice_finalize(c, text, size, utcNs(asOf), out, &info.c)
	})
}

// InvoiceText is an invoice for people, in lines of at most 80 characters.
func InvoiceText(invoice Document) (string, error) {
	var buffer C.met_buffer
	info := newInfo()
	err := info.failed(C.met_invoice_render(bytesPointer(invoice),
		C.size_t(len(invoice)), C.MET_INVOICE_TEXT, &buffer, &info.c))
	return string(taken(&buffer)), err
}

// PutMeter stores a meter: what is counted, of which events.
func (s *Store) PutMeter(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_meter_put), document)
}

// Meter is a stored meter.
func (s *Store) Meter(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_meter_get), []byte(key))
}

// Meters are all meters, by key.
func (s *Store) Meters() ([]Document, error) {
	return s.list((*C.metgo_list)(C.met_meter_list))
}

// RemoveMeter removes a meter that nothing is sold by.
func (s *Store) RemoveMeter(key string) error {
	return s.remove((*C.metgo_remove)(C.met_meter_remove), key)
}

// PutFeature stores a feature: what is sold, and which usage is its own.
func (s *Store) PutFeature(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_feature_put), document)
}

// Feature is a stored feature.
func (s *Store) Feature(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_feature_get), []byte(key))
}

// Features are all features, by key.
func (s *Store) Features() ([]Document, error) {
	return s.list((*C.metgo_list)(C.met_feature_list))
}

// PutPlan stores a draft of a plan.
func (s *Store) PutPlan(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_plan_put), document)
}

// Plans are all plans and their versions.
func (s *Store) Plans() ([]Document, error) {
	return s.list((*C.metgo_list)(C.met_plan_list))
}

// PutCustomer stores a customer and the subjects whose usage is his.
func (s *Store) PutCustomer(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_customer_put), document)
}

// Customer is a stored customer.
func (s *Store) Customer(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_customer_get), []byte(key))
}

// CustomerOfSubject is the customer whose usage a subject's is.
func (s *Store) CustomerOfSubject(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_customer_of_subject), []byte(key))
}

// Customers are all customers.
func (s *Store) Customers() ([]Document, error) {
	return s.list((*C.metgo_list)(C.met_customer_list))
}

// Subscription is a subscription, by id.
func (s *Store) Subscription(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_subscription_get), []byte(key))
}

// Invoice is an issued invoice, by id or number.
func (s *Store) Invoice(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_invoice_get), []byte(key))
}

// PutUsageSettings changes how long usage is kept fine.
func (s *Store) PutUsageSettings(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_usage_settings_put), document)
}

// PutEventSettings changes how events with ids are taken in.
func (s *Store) PutEventSettings(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_event_settings_put), document)
}

// AdjustUsage corrects usage by a signed amount, with reason and actor.
func (s *Store) AdjustUsage(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_usage_adjust), document)
}

// RetractEvent takes back a retained event.
func (s *Store) RetractEvent(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_event_retract), document)
}

// Events are retained events, a page of them.
func (s *Store) Events(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_event_list), document)
}
