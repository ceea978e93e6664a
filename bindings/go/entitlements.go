package metering

// #include "calls.h"
import "C"

import (
	"encoding/json"
	"time"
)

// CreateEntitlement gives a customer an entitlement beside those of plans.
func (s *Store) CreateEntitlement(document []byte, options ...Option) (Document, error) {
	return s.create((*C.metgo_new)(C.met_entitlement_create), document, options)
}

// OverrideEntitlement puts another entitlement in the place of one that runs.
func (s *Store) OverrideEntitlement(document []byte, options ...Option) (Document, error) {
	return s.create((*C.metgo_new)(C.met_entitlement_override), document, options)
}

// CreateGrant tops an entitlement up.
func (s *Store) CreateGrant(document []byte, options ...Option) (Document, error) {
	return s.create((*C.metgo_new)(C.met_grant_create), document, options)
}

// Grant is a grant, by id.
func (s *Store) Grant(id string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_grant_get), []byte(id))
}

// Grants are the grants of a customer for a feature: {"items"}.
func (s *Store) Grants(first, second string) (Document, error) {
	return s.both((*C.metgo_both)(C.met_grant_list), first, []byte(second))
}

// VoidGrant ends a grant at a time; the zero time is now.
func (s *Store) VoidGrant(key string, at time.Time, options ...Option) (Document, error) {
	return s.at((*C.metgo_at)(C.met_grant_void), key, at, options)
}

// PutNoticeRule stores a rule that says when a notice is given.
func (s *Store) PutNoticeRule(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_notice_rule_put), document)
}

// NoticeRule is a stored rule.
func (s *Store) NoticeRule(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_notice_rule_get), []byte(key))
}

// NoticeRules are all rules.
func (s *Store) NoticeRules() ([]Document, error) {
	return s.list((*C.metgo_list)(C.met_notice_rule_list))
}

// RemoveNoticeRule removes a rule.
func (s *Store) RemoveNoticeRule(key string) error {
	return s.remove((*C.metgo_remove)(C.met_notice_rule_remove), key)
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

// Entitlements is everything that a customer may use at a time.
func (s *Store) Entitlements(customer string,
	at time.Time) ([]Entitlement, error) {
	text, size := cText(customer)
	document, err := s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_entitlement_list(c, text, size, utcNs(at), out, &info.c)
	})
	var parsed struct {
		Items []Entitlement `json:"items"`
	}
	if err == nil {
		err = json.Unmarshal(document, &parsed)
	}
	return parsed.Items, err
}

// EntitlementHistory is how an entitlement was used, by the hour or the day.
func (s *Store) EntitlementHistory(customer, feature string, from, to time.Time,
	isDaily bool) (Document, error) {
	window := C.uint32_t(C.MET_HISTORY_HOUR)
	if isDaily {
		window = C.MET_HISTORY_DAY
	}
	customerText, customerSize := cText(customer)
	featureText, featureSize := cText(feature)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_entitlement_history(c, customerText, customerSize,
			featureText, featureSize, utcNs(from), utcNs(to), window, out,
			&info.c)
	})
}

// RemoveEntitlement ends an entitlement that stands alone.
func (s *Store) RemoveEntitlement(customer, feature string) error {
	customerText, customerSize := cText(customer)
	featureText, featureSize := cText(feature)
	return s.call(func(c *C.met_store, info *callInfo) C.met_error {
		return C.met_entitlement_remove(c, customerText, customerSize,
			featureText, featureSize, &info.c)
	})
}

// ResetEntitlement begins a usage period now, or as the document says.
func (s *Store) ResetEntitlement(customer, feature string,
	document []byte) (Document, error) {
	customerText, customerSize := cText(customer)
	featureText, featureSize := cText(feature)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_entitlement_reset(c, customerText, customerSize,
			featureText, featureSize, bytesPointer(document),
			C.size_t(len(document)), out, &info.c)
	})
}

// NextNotices takes so many notices out of the queue, in order, for a while:
// who acknowledges none of them in time lets others take them again.
func (s *Store) NextNotices(countMax uint32,
	lease time.Duration) ([]Document, error) {
	return items(s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_notice_next(c, C.uint32_t(countMax), C.int64_t(lease), out,
			&info.c)
	}))
}

// Notices are the oldest so many that wait, without taking them, and how many
// do in all: {"items", "waiting", "dropped"}.
func (s *Store) Notices(countMax uint32) (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_notice_list(c, C.uint32_t(countMax), out, &info.c)
	})
}

// AckNotice forgets a notice that was delivered.
func (s *Store) AckNotice(id string) error {
	text, size := cText(id)
	return s.call(func(c *C.met_store, info *callInfo) C.met_error {
		return C.met_notice_ack(c, text, size, 0, &info.c)
	})
}

// SimulateEntitlement says what would be left of an entitlement and its grants,
// without a store. See met_entitlement_simulate for the document.
func SimulateEntitlement(document []byte) (Document, error) {
	var buffer C.met_buffer
	info := newInfo()
	err := info.failed(C.met_entitlement_simulate(bytesPointer(document),
		C.size_t(len(document)), nil, &buffer, &info.c))
	if err != nil {
		return nil, err
	}
	return taken(&buffer), nil
}
