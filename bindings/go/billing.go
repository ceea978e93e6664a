package metering

// #include "calls.h"
import "C"

import (
	"runtime"
	"time"
	"unsafe"
)

// Invoice is an invoice or a draft, by id or number.
func (s *Store) Invoice(id string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_invoice_get), []byte(id))
}

// Invoices are the invoices of a customer, or with "" of all.
func (s *Store) Invoices(customer string) ([]Document, error) {
	return items(s.put((*C.metgo_put)(C.met_invoice_list), []byte(customer)))
}

// InvoiceAct takes a step of an invoice's life: "approve", "paid", "void", ….
func (s *Store) InvoiceAct(first, second string) (Document, error) {
	return s.both((*C.metgo_both)(C.met_invoice_act), first, []byte(second))
}

// CreditInvoice issues a credit note to an invoice.
func (s *Store) CreditInvoice(key string, document []byte) (Document, error) {
	return s.both((*C.metgo_both)(C.met_invoice_credit), key, document)
}

// RecomputeInvoice makes an invoice again from what it stores and says whether
// it comes out the same; with isUsage, what later usage would change.
func (s *Store) RecomputeInvoice(id string, isUsage bool) (Document, error) {
	flags := C.uint64_t(0)
	if isUsage {
		flags = C.MET_INVOICE_USAGE
	}
	text, size := cText(id)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_invoice_recompute(c, text, size, flags, out, &info.c)
	})
}

// InvoiceUsage is the usage behind an invoice's lines, by day and dimension.
func (s *Store) InvoiceUsage(id string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_invoice_usage), []byte(id))
}

// PutBillingProfile stores how a customer is billed, or with "" everybody.
func (s *Store) PutBillingProfile(key string, document []byte) (Document, error) {
	return s.both((*C.metgo_both)(C.met_billing_profile_put), key, document)
}

// BillingProfile is how a customer is billed, or with "" everybody.
func (s *Store) BillingProfile(key string) (Document, error) {
	return s.put((*C.metgo_put)(C.met_billing_profile_get), []byte(key))
}

// RemoveBillingProfile lets a customer be billed as everybody.
func (s *Store) RemoveBillingProfile(key string) error {
	return s.remove((*C.metgo_remove)(C.met_billing_profile_remove), key)
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

// InvoiceInterim bills what is due and what runs, up to the last whole minute;
// what it bills is taken off when the period ends. [ErrConflict] when there is
// nothing to bill.
func (s *Store) InvoiceInterim(customer string,
	asOf time.Time) (Document, error) {
	text, size := cText(customer)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_invoice_interim(c, text, size, utcNs(asOf), out, &info.c)
	})
}

// InvoiceFormat is how an invoice is written.
type InvoiceFormat uint32

// The formats.
const (
	InvoiceAsText InvoiceFormat = C.MET_INVOICE_TEXT // lines of 80 characters
	InvoiceAsHTML InvoiceFormat = C.MET_INVOICE_HTML // for screen and paper
	InvoiceAsCSV  InvoiceFormat = C.MET_INVOICE_CSV  // a row for every line
	InvoiceAsJSON InvoiceFormat = C.MET_INVOICE_JSON // indented
)

// RenderInvoice writes an invoice for people. Needs no store.
func RenderInvoice(invoice Document, format InvoiceFormat) (string, error) {
	var buffer C.met_buffer
	info := newInfo()
	err := info.failed(C.met_invoice_render(bytesPointer(invoice),
		C.size_t(len(invoice)), C.uint32_t(format), &buffer, &info.c))
	return string(taken(&buffer)), err
}

// Billed is how far a billing run is.
type Billed struct {
	AsOf        time.Time // of the run
	IsDone      bool
	Customers   uint64 // looked at
	Measured    uint64 // periods whose usage was read
	Usage       uint64 // records read
	Drafts      uint64 // made
	Interim     uint64 // of these, of periods that go on
	Collected   uint64 // drafts whose quantities were read again
	Issued      uint64
	CreditNotes uint64
	Deleted     uint64 // drafts that turned out to bill nothing
	Overdue     uint64
	Waiting     uint64 // customers whose credit waits for the next invoice
	Failed      uint64 // customers and invoices that were left as they were
	FailedName  string // the first of them
	FailedWhy   string
}

// BillingRun bills everybody for what is due at a time; the zero time is now. A
// run that was killed goes on where it was. progress, which may be nil, is told
// how far it is and ends it by false.
func (s *Store) BillingRun(asOf time.Time,
	progress func(Billed) bool) (Billed, error) {
	if err := s.retain(); err != nil {
		return Billed{}, err
	}
	defer s.release()
	var run *C.met_billing_run
	info := newInfo()
	err := info.failed(C.met_billing_run_open(s.c, utcNs(asOf), &run, &info.c))
	if err != nil {
		return Billed{}, err
	}
	defer C.met_billing_run_close(run)
	for {
		var report C.met_billing_report
		report.struct_size = C.size_t(unsafe.Sizeof(report))
		err := info.failed(C.met_billing_run_step(run, &report, &info.c))
		runtime.KeepAlive(s)
		if err != nil {
			return Billed{}, err
		}
		billed := Billed{
			AsOf:        time.Unix(0, int64(report.as_of_ns)).UTC(),
			IsDone:      report.stage == C.MET_BILLING_DONE,
			Customers:   uint64(report.customers),
			Measured:    uint64(report.measured),
			Usage:       uint64(report.usage),
			Drafts:      uint64(report.drafts),
			Interim:     uint64(report.interim),
			Collected:   uint64(report.collected),
			Issued:      uint64(report.issued),
			CreditNotes: uint64(report.credit_notes),
			Deleted:     uint64(report.deleted),
			Overdue:     uint64(report.overdue),
			Waiting:     uint64(report.waiting),
			Failed:      uint64(report.failed),
			FailedName:  C.GoString(&report.failed_name[0]),
			FailedWhy:   C.GoString(&report.failed_reason[0]),
		}
		if billed.IsDone || progress != nil && !progress(billed) {
			return billed, nil
		}
	}
}
