package metering

// #include "calls.h"
import "C"

import (
	"time"
)

// Apply brings the store to what a document says: meters, features, plans,
// customers, subscriptions and the gateway's entities, in one transaction. The
// same document again changes nothing. The answer says what changed.
func (s *Store) Apply(document []byte, options ...Option) (Document, error) {
	return s.apply(document, time.Time{}, flagsOf(options))
}

// ApplyAt is Apply at another time, for tests and imports.
func (s *Store) ApplyAt(document []byte, at time.Time,
	options ...Option) (Document, error) {
	return s.apply(document, at, flagsOf(options))
}

// ApplyDryRun says what Apply would change, and changes nothing.
func (s *Store) ApplyDryRun(document []byte,
	options ...Option) (Document, error) {
	return s.apply(document, time.Time{},
		flagsOf(options)|C.MET_APPLY_DRY_RUN)
}

func (s *Store) apply(document []byte, at time.Time,
	flags C.uint64_t) (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_catalog_apply(c, bytesPointer(document),
			C.size_t(len(document)), utcNs(at), flags, out, &info.c)
	})
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

// ArchiveFeature takes a feature out of service.
func (s *Store) ArchiveFeature(key string) error {
	return s.remove((*C.metgo_remove)(C.met_feature_archive), key)
}

// PutPlan stores a draft of a plan.
func (s *Store) PutPlan(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_plan_put), document)
}

// NextPlan begins the next version of a plan: a draft like its latest.
func (s *Store) NextPlan(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_plan_next), []byte(key))
}

// PublishPlan puts the draft of a plan in force at a time; the zero time is now.
func (s *Store) PublishPlan(key string, at time.Time, options ...Option) (Document, error) {
	return s.at((*C.metgo_at)(C.met_plan_publish), key, at, options)
}

// ArchivePlan ends the active version of a plan; subscriptions to it go on.
func (s *Store) ArchivePlan(key string) error {
	return s.remove((*C.metgo_remove)(C.met_plan_archive), key)
}

// Plans are all plans and their versions.
func (s *Store) Plans() ([]Document, error) {
	return s.list((*C.metgo_list)(C.met_plan_list))
}

// GatewayEntities are the stored entities of a kind: "service", "route", "consumer",
// "consumer_group", "plugin".
func (s *Store) GatewayEntities(kind string) ([]Document, error) {
	return items(s.put((*C.metgo_put)(C.met_gateway_entity_list), []byte(kind)))
}

// GatewayEntity is an entity, by kind and name.
func (s *Store) GatewayEntity(first, second string) (Document, error) {
	return s.both((*C.metgo_both)(C.met_gateway_entity_get), first, []byte(second))
}

// Export is one document that applies to an empty store.
func (s *Store) Export() (Document, error) {
	return s.whole((*C.metgo_list)(C.met_catalog_export))
}

// Audit are the records of what was erased and renamed.
func (s *Store) Audit() ([]Document, error) {
	return s.list((*C.metgo_list)(C.met_audit_list))
}

// PutUsageSettings changes how long usage is kept fine.
func (s *Store) PutUsageSettings(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_usage_settings_put), document)
}

// UsageSettings is how long usage is kept fine.
func (s *Store) UsageSettings() (Document, error) {
	return s.whole((*C.metgo_list)(C.met_usage_settings_get))
}

// PutEventSettings changes how events with ids are taken in.
func (s *Store) PutEventSettings(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_event_settings_put), document)
}

// EventSettings is how events with ids are taken in, and what became of them.
func (s *Store) EventSettings() (Document, error) {
	return s.whole((*C.metgo_list)(C.met_event_settings_get))
}

// AdjustUsage corrects usage by a signed amount, with reason and actor.
func (s *Store) AdjustUsage(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_usage_adjust), document)
}

// UsageAdjustments are the corrections of usage.
func (s *Store) UsageAdjustments() ([]Document, error) {
	return s.list((*C.metgo_list)(C.met_usage_adjustment_list))
}

// RetractEvent takes back a retained event.
func (s *Store) RetractEvent(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_event_retract), document)
}

// Events are retained events, a page of them.
func (s *Store) Events(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_event_list), document)
}

// ExplainEvent says in which numbers an event is, by source and id.
func (s *Store) ExplainEvent(first, second string) (Document, error) {
	return s.both((*C.metgo_both)(C.met_event_explain), first, []byte(second))
}

// Plan is a version of a plan; 0 is the active one.
func (s *Store) Plan(key string, version uint32) (Document, error) {
	return s.PlanAt(key, version, time.Time{})
}

// PlanAt is a version of a plan with its status at a time; version 0 is the one
// that was active then, the zero time is now.
func (s *Store) PlanAt(key string, version uint32,
	at time.Time) (Document, error) {
	text, size := cText(key)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_plan_get(c, text, size, C.uint32_t(version), utcNs(at),
			out, &info.c)
	})
}

// RemovePlan removes a version that is a draft or scheduled.
func (s *Store) RemovePlan(key string, version uint32) error {
	text, size := cText(key)
	return s.call(func(c *C.met_store, info *callInfo) C.met_error {
		return C.met_plan_remove(c, text, size, C.uint32_t(version), &info.c)
	})
}

// RotateCredential gives a consumer another API key in place of one.
func (s *Store) RotateCredential(consumer string, document []byte) (Document, error) {
	return s.both((*C.metgo_both)(C.met_credential_rotate), consumer, document)
}

// RemoveGatewayEntity removes an entity and what hangs on it.
func (s *Store) RemoveGatewayEntity(kind, name string) error {
	kindText, kindSize := cText(kind)
	text, size := cText(name)
	return s.call(func(c *C.met_store, info *callInfo) C.met_error {
		return C.met_gateway_entity_remove(c, kindText, kindSize, text, size,
			&info.c)
	})
}
