package metering

// #include <metering/metering.h>
import "C"

import (
	"encoding/json"
	"runtime"
	"unsafe"
)

// A Price is a price that was read, to rate with it. Needs no store.
type Price struct{ c handle }

// NewPrice reads a price document: {"type": "package", "amount": "1",
// "quantity_per_package": "5000"}.
func NewPrice(document []byte) (*Price, error) {
	if err := tooOld(); err != nil {
		return nil, err
	}
	var c *C.met_price
	info := newInfo()
	err := info.failed(C.met_price_create(bytesPointer(document),
		C.size_t(len(document)), nil, &c, &info.c))
	if err != nil {
		return nil, err
	}
	price := &Price{}
	price.c.c = unsafe.Pointer(c)
	safetyNet(price, func(p *Price) { p.Close() })
	return price, nil
}

// Close forgets the price, after the calls that run.
func (p *Price) Close() error {
	c := (*C.met_price)(p.c.close())
	if c == nil {
		return ErrClosed
	}
	runtime.SetFinalizer(p, nil)
	C.met_price_destroy(c)
	return nil
}

// enter begins a call; nil when the price is closed.
func (p *Price) enter() (*C.met_price, *inUse) {
	c, use := p.c.enter()
	return (*C.met_price)(c), use
}

// RatedTotals are the amounts of rated lines.
type RatedTotals struct {
	Amount         Decimal `json:"amount"`
	ChargesTotal   Decimal `json:"charges_total"`
	DiscountsTotal Decimal `json:"discounts_total"`
	CreditsTotal   Decimal `json:"credits_total"`
	TaxesTotal     Decimal `json:"taxes_total"`
	Total          Decimal `json:"total"`
}

// Rated is what a quantity costs.
type Rated struct {
	Lines []struct {
		Name          string      `json:"name"`
		Explanation   string      `json:"explanation"`
		Category      string      `json:"category"`
		Quantity      Decimal     `json:"quantity"`
		PerUnitAmount Decimal     `json:"per_unit_amount"`
		Totals        RatedTotals `json:"totals"`
	} `json:"lines"`
	Totals   RatedTotals `json:"totals"`
	Currency string      `json:"currency"`
	Quantity Decimal     `json:"quantity"`
	Document Document    `json:"-"` // everything the library said
}

// Rate says what a quantity of one whole period costs.
func (p *Price) Rate(quantity Decimal) (Rated, error) {
	question, err := json.Marshal(map[string]Decimal{"quantity": quantity})
	if err != nil {
		return Rated{}, err
	}
	return p.RateDocument(question)
}

// RateDocument answers a question in full: parts of periods, what was booked,
// policies (see met_price_rate).
func (p *Price) RateDocument(question []byte) (Rated, error) {
	var rated Rated
	c, use := p.enter()
	if c == nil {
		return rated, ErrClosed
	}
	defer use.leave()
	var answer C.met_buffer
	info := newInfo()
	err := info.failed(C.met_price_rate(c, bytesPointer(question),
		C.size_t(len(question)), &answer, &info.c))
	if err != nil {
		return rated, err
	}
	rated.Document = taken(&answer)
	return rated, json.Unmarshal(rated.Document, &rated)
}

// Totals are the totals of many quantities, each the usage of one whole period.
func (p *Price) Totals(quantities []Decimal) ([]Decimal, error) {
	c, use := p.enter()
	if c == nil {
		return nil, ErrClosed
	}
	defer use.leave()
	if len(quantities) == 0 {
		return nil, nil
	}
	values := make([]C.met_decimal, len(quantities))
	for i, quantity := range quantities {
		values[i] = quantity.value()
	}
	info := newInfo()
	err := info.failed(C.met_price_rate_batch(c, &values[0],
		C.size_t(len(values)), &values[0], &info.c))
	if err != nil {
		return nil, err
	}
	totals := make([]Decimal, len(values))
	for i, value := range values {
		totals[i] = Decimal{value, true}
	}
	return totals, nil
}

// A PriceIssue is one rule that a price does not keep.
type PriceIssue struct {
	Code     string `json:"code"`
	Field    string `json:"field"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

// CheckPrice is everything that is wrong about a price at once, where
// [NewPrice] stops at the first rule.
func CheckPrice(document []byte) ([]PriceIssue, error) {
	var answer C.met_buffer
	info := newInfo()
	err := info.failed(C.met_price_check(bytesPointer(document),
		C.size_t(len(document)), nil, &answer, &info.c))
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Issues []PriceIssue `json:"issues"`
	}
	err = json.Unmarshal(taken(&answer), &parsed)
	return parsed.Issues, err
}

// Rate says what a quantity costs by a price document, without keeping it.
func Rate(price []byte, quantity Decimal) (Rated, error) {
	read, err := NewPrice(price)
	if err != nil {
		return Rated{}, err
	}
	defer read.Close()
	return read.Rate(quantity)
}
