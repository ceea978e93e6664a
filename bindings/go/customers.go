package metering

// #include "calls.h"
import "C"

import (
	"time"
)

// PutCustomer stores a customer and the subjects whose usage is theirs.
func (s *Store) PutCustomer(document []byte) (Document, error) {
	return s.put((*C.metgo_put)(C.met_customer_put), document)
}

// Customer is a stored customer.
func (s *Store) Customer(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_customer_get), []byte(key))
}

// CustomerOfSubject is the customer to whom a subject belongs.
func (s *Store) CustomerOfSubject(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_customer_of_subject), []byte(key))
}

// Customers are all customers.
func (s *Store) Customers() ([]Document, error) {
	return s.list((*C.metgo_list)(C.met_customer_list))
}

// RemoveCustomer removes a customer without a subscription.
func (s *Store) RemoveCustomer(key string) error {
	return s.remove((*C.metgo_remove)(C.met_customer_remove), key)
}

// EraseCustomer takes a customer's identity out of everything but issued invoices.
func (s *Store) EraseCustomer(key string, document []byte) (Document, error) {
	return s.both((*C.metgo_both)(C.met_customer_erase), key, document)
}

// RenameCustomer gives a customer another key.
func (s *Store) RenameCustomer(key string, document []byte) (Document, error) {
	return s.both((*C.metgo_both)(C.met_customer_rename), key, document)
}

// EraseSubject takes a subject's name out of its usage, whose sums stay.
func (s *Store) EraseSubject(key string, document []byte) (Document, error) {
	return s.both((*C.metgo_both)(C.met_subject_erase), key, document)
}

// RenameSubject gives a subject another name.
func (s *Store) RenameSubject(key string, document []byte) (Document, error) {
	return s.both((*C.metgo_both)(C.met_subject_rename), key, document)
}

// CreateSubscription subscribes a customer to a plan.
func (s *Store) CreateSubscription(document []byte, options ...Option) (Document, error) {
	return s.create((*C.metgo_new)(C.met_subscription_create), document, options)
}

// Subscription is a subscription, by id.
func (s *Store) Subscription(id string) (Document, error) {
	return s.SubscriptionAt(id, time.Time{})
}

// SubscriptionAt is a subscription with its status, phase and billing period at
// a time; the zero time is now.
func (s *Store) SubscriptionAt(id string, at time.Time) (Document, error) {
	text, size := cText(id)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_subscription_get(c, text, size, utcNs(at), out, &info.c)
	})
}

// Subscriptions are the subscriptions of a customer, or with "" of all.
func (s *Store) Subscriptions(customer string) ([]Document, error) {
	return items(s.put((*C.metgo_put)(C.met_subscription_list), []byte(customer)))
}

// CancelSubscription ends a subscription at a time; the zero time is now.
func (s *Store) CancelSubscription(key string, at time.Time, options ...Option) (Document, error) {
	return s.at((*C.metgo_at)(C.met_subscription_cancel), key, at, options)
}

// ContinueSubscription takes a cancellation back that has not happened yet.
func (s *Store) ContinueSubscription(id string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_subscription_continue), []byte(id))
}

// RestoreSubscription takes a change back that has not happened yet.
func (s *Store) RestoreSubscription(id string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_subscription_restore), []byte(id))
}

// RemoveSubscription removes a subscription that has not begun.
func (s *Store) RemoveSubscription(id string) error {
	return s.remove((*C.metgo_remove)(C.met_subscription_remove), id)
}

// AtNextCycle lets a cancellation, change or migration happen at the end of the
// billing period that runs; its time is then the zero time.
const AtNextCycle Option = C.MET_CANCEL_NEXT_BILLING_CYCLE

// ChangeSubscription ends a subscription and begins another in its place: an
// upgrade, a downgrade. The document is that of the new one.
func (s *Store) ChangeSubscription(id string, document []byte, at time.Time,
	options ...Option) (Document, error) {
	text, size := cText(id)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_subscription_change(c, text, size, bytesPointer(document),
			C.size_t(len(document)), utcNs(at), flagsOf(options), out, &info.c)
	})
}

// MigrateSubscription moves a subscription to another version of its plan.
func (s *Store) MigrateSubscription(id string, document []byte, at time.Time,
	options ...Option) (Document, error) {
	text, size := cText(id)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_subscription_migrate(c, text, size, bytesPointer(document),
			C.size_t(len(document)), utcNs(at), flagsOf(options), out, &info.c)
	})
}
