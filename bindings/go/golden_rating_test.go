package metering_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"libmetering/metering"
)

var ratingKinds = map[string]goldenKind{
	"rate_line": rateLine, "price_total": totalOf, "graduated_total": totalOf,
	"progressive_series": progressive, "package_count": packageCount,
	"percentage": percentageOf, "max_spend_line": maxSpend,
	"unit_config_apply": convert, "usage_discount": usageDiscount,
	"delta_series": func(t *testing.T, item document) {
		series(item, false)
	},
	"period_preserving_series": func(t *testing.T, item document) {
		series(item, true)
	},
	"validate_price": func(t *testing.T, item document) {
		price := object(item["input"])["price"]
		if price == nil {
			price = document{"type": "free"}
		}
		issues(item, document{"price": price})
	},
	"validate_discounts": func(t *testing.T, item document) {
		issues(item, members(item["input"], "price", "discounts"))
	},
	"validate_unit_config": func(t *testing.T, item document) {
		issues(item, with(document{"price": document{"type": "unit",
			"amount": "1"}}, members(item["input"], "unit_config")))
	},
}

func TestGoldenRating(t *testing.T) {
	golden(t, "openmeter_rating.json", ratingKinds, 140)
}

// members are some of a document's, those that are not null.
func members(from any, names ...string) document {
	found := document{}
	for _, name := range names {
		if value := object(from)[name]; value != nil {
			found[name] = value
		}
	}
	return found
}

// priceOf reads the price of a case. The cases speak of the peer's inner price:
// none is free, and a flat one without a term is in advance.
func priceOf(given document) *metering.Price {
	card := members(given, "discounts", "unit_config", "currency")
	price := object(given["price"])
	if price == nil {
		price = document{"type": "free"}
	}
	if price["type"] == "flat" && price["payment_term"] == nil {
		price = with(price, document{"payment_term": "in_advance"})
	}
	card["price"] = price
	if name := given["line_name"]; name != nil {
		card["name"] = name
	}
	return must(metering.NewPrice(must(json.Marshal(card))))
}

// rateOf is the answer to a question.
func rateOf(price *metering.Price, question document) (document, error) {
	rated, err := price.RateDocument(must(json.Marshal(question)))
	if err != nil {
		return nil, err
	}
	return object(readDocument(rated.Document)), nil
}

func sameTotals(want, got any) {
	zero := document{}
	for _, name := range []string{"amount", "charges_total", "discounts_total",
		"credits_total", "taxes_total", "taxes_inclusive_total",
		"taxes_exclusive_total", "total"} {
		zero[name] = "0"
	}
	expect(with(zero, object(want)), got, "totals")
}

func sameLines(want, got document) {
	if lines, isThere := want["lines"]; isThere {
		found := array(got["lines"])
		if len(array(lines)) != len(found) {
			fail("expected %d lines, got %v", len(array(lines)), found)
		}
		for i, line := range array(lines) {
			line := with(object(line), nil)
			totals, isThere := line["totals"]
			delete(line, "totals")
			expect(line, found[i], "line %d", i)
			if isThere {
				sameTotals(totals, object(found[i])["totals"])
			}
		}
	}
	if totals, isThere := want["totals"]; isThere {
		sameTotals(totals, got["totals"])
	}
}

// Rules that the peer calls otherwise: its code names the wrong mode.
var ourCodes = map[string]string{
	"invoice_line_volume_split_not_supported": "invoice_line_graduated_split_not_supported",
	"price_tiers_without_open_end":            "invoice_line_missing_open_ended_tier",
}

func rateLine(t *testing.T, item document) {
	given, want := object(item["input"]), object(item["expect"])
	options, usage := object(given["options"]), object(given["usage"])
	if given["unit_config_enabled"] != true {
		given = with(given, document{"unit_config": nil})
	}
	position := given["position"]
	question := document{"quantity": usage["line_quantity"],
		"quantity_before": usage["pre_line_quantity"],
		"is_first":        position == "single" || position == "first",
		"is_last":         position == "single" || position == "last",
		"policies":        document{"unit_conversion": "per_line"}}
	if billed := given["previously_billed_amount"]; billed != nil {
		question["already_billed"] = billed
	}
	if options["ignore_minimum_commitment"] == true {
		question["is_minimum_applied"] = false
	}
	if credits := given["credits"]; credits != nil &&
		options["disable_credits"] != true {
		question["credits"] = credits
	}
	price := priceOf(given)
	defer price.Close()
	got, err := rateOf(price, question)
	code, isError := want["error"]
	if isError != (err != nil) {
		fail("expected %v, got %v and %v", want, got, err)
	}
	if !isError {
		sameLines(want, got)
	} else if found := reasonOf(err); text(code) != "" && found != code &&
		ourCodes[found] != code {
		fail("expected %v, got %v", code, err)
	}
}

func totalOf(t *testing.T, item document) {
	given := object(item["input"])
	price := priceOf(given)
	defer price.Close()
	quantity, ok := decimal(given["quantity"])
	if !ok {
		fail("%v", given["quantity"])
	}
	totals := must(price.Totals([]metering.Decimal{quantity}))
	expect(object(item["expect"])["total"], totals[0].String(), "total")
}

var durationText = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$`)

// durationOf is one of days, hours and minutes.
func durationOf(text string) time.Duration {
	found := durationText.FindStringSubmatch(text)
	if found == nil {
		skip("%s is no duration of days, hours and minutes", text)
	}
	length := time.Duration(0)
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour,
		time.Minute} {
		count, _ := strconv.Atoi(found[i+1]) // nothing is 0
		length += time.Duration(count) * unit
	}
	return length
}

// sameQuantities compares what a line bills, and of which discount.
func sameQuantities(want, got document) {
	discounts := []any{}
	if found := object(got["usage_discount"]); found != nil {
		discounts = append(discounts, document{
			"child_id": found["child_id"], "quantity": found["quantity"],
			"pre_line_quantity": found["quantity_before"]})
	}
	expect(members(want, "line_quantity", "pre_line_quantity",
		"line_discounts"), document{"line_quantity": got["quantity"],
		"pre_line_quantity": got["quantity_before"],
		"line_discounts":    discounts}, "quantities")
}

// rateCard is the answer to a question about a card.
func rateCard(card, question document) document {
	price := must(metering.NewPrice(must(json.Marshal(card))))
	defer price.Close()
	return must(rateOf(price, question))
}

func packageCount(t *testing.T, item document) {
	given := object(item["input"])
	got := rateCard(with(document{"type": "package", "amount": "1"},
		members(given, "quantity_per_package")), members(given, "quantity"))
	expect(object(item["expect"])["packages"],
		object(got["totals"])["total"], "packages")
}

func percentageOf(t *testing.T, item document) {
	given := object(item["input"])
	got := rateCard(document{"price": document{"type": "flat",
		"amount": given["value"]}, "discounts": members(given, "percentage")},
		document{"quantity": "0"})
	value, _ := decimal(given["value"])
	applied, _ := decimal(object(got["totals"])["discounts_total"])
	expect(item["expect"], document{"applied": applied.String(),
		"markup": must(value.Add(applied)).String()}, "percentage")
}

func maxSpend(t *testing.T, item document) {
	given := object(item["input"])
	got := rateCard(document{"currency": given["currency"],
		"price": document{"type": "unit", "amount": given["per_unit_amount"],
			"commitments": members(given, "maximum")}},
		document{"quantity": given["quantity"],
			"already_billed": given["billed_before"]})
	amounts := []any{}
	for _, line := range array(got["lines"]) {
		for _, discount := range array(object(line)["discounts"]) {
			amounts = append(amounts, object(discount)["amount"])
		}
	}
	expect(object(item["expect"])["discounts"], amounts, "discounts")
}

func convert(t *testing.T, item document) {
	given := object(item["input"])
	got := rateCard(with(document{"price": document{"type": "unit",
		"amount": "1"}}, members(given, "unit_config")),
		document{"quantity": given["raw"]})
	expect(object(item["expect"])["invoiced"], got["quantity"], "invoiced")
}

func usageDiscount(t *testing.T, item document) {
	given := object(item["input"])
	sameQuantities(object(item["expect"]), rateCard(document{
		"price":     document{"type": "unit", "amount": "0"},
		"discounts": given["discounts"]},
		document{"quantity": given["line_quantity"],
			"quantity_before": given["pre_line_quantity"]}))
}

// progressive rates each split by itself: it knows the usage before it and the
// amount of the splits that were not deleted.
func progressive(t *testing.T, item document) {
	given := object(item["input"])
	price := priceOf(given)
	defer price.Close()
	billed := metering.Decimal{}
	wanted := array(object(item["expect"])["splits"])
	for i, split := range array(given["splits"]) {
		split, want := object(split), object(wanted[i])
		got := must(rateOf(price, document{
			"quantity":        split["metered_quantity"],
			"quantity_before": split["metered_pre_line_quantity"],
			"is_first":        durationOf(text(split["from"])) == 0,
			"is_last":         durationOf(text(split["to"])) == 24*time.Hour,
			"already_billed":  billed}))
		sameLines(want, got)
		sameQuantities(want, got)
		if split["deleted_afterwards"] != true {
			billed = must(billed.Add(must(metering.ParseDecimal(text(object(
				got["totals"])["amount"])))))
		}
	}
}

// periodOf is the period of a pair of times.
func periodOf(pair any) document {
	return document{"from": array(pair)[0], "to": array(pair)[1]}
}

// askSeries is the question of phase i of a series by periods, and what is
// expected of its lines.
func askSeries(phases []any, i int, question, want document) document {
	known := array(object(phases[i])["cumulative_quantities"])
	question["quantity"] = known[i]
	question["period"] = periodOf(object(phases[i])["service_period"])
	earlier := []any{}
	for k, phase := range phases[:i] {
		run := document{"period": periodOf(object(phase)["service_period"]),
			"quantity": known[k]}
		if id := object(phase)["run_id"]; id != nil {
			run["id"] = id
		}
		earlier = append(earlier, run)
	}
	question["earlier_runs"] = earlier
	lines := []any{}
	for _, line := range array(want["lines"]) {
		lines = append(lines, with(object(line), document{
			"service_period": periodOf(object(line)["service_period"])}))
	}
	return with(want, document{"lines": lines})
}

func series(item document, isByPeriod bool) {
	given := object(item["input"])
	price := priceOf(given)
	defer price.Close()
	phases, wanted := array(given["phases"]),
		array(object(item["expect"])["phases"])
	booked := []any{}
	for i, phase := range phases {
		phase, want := object(phase), object(wanted[i])
		question := document{"is_minimum_applied": i+1 == len(phases),
			"booked": booked, "quantity": phase["cumulative_quantity"]}
		if isByPeriod {
			want = askSeries(phases, i, question, want)
		}
		got := must(rateOf(price, question))
		credits := object(phase["booked_credits"])
		for k, line := range array(got["lines"]) {
			line := with(object(line), document{
				"id": fmt.Sprintf("phase-%d-line-%d", i+1, k+1)})
			if credits != nil && amount(credits["line_index"]) == strconv.Itoa(k) {
				totals := object(line["totals"])
				paid, _ := decimal(credits["amount"])
				total, _ := decimal(totals["total"])
				line["totals"] = with(totals, document{"credits_total": paid,
					"total": must(total.Sub(paid))})
			}
			booked = append(booked, line)
		}
		if !isByPeriod { // all is booked on the run's own period
			for _, line := range array(got["lines"]) {
				object(line)["service_period"] = phase["service_period"]
			}
		}
		sameLines(want, got)
	}
}

func issues(item, card document) {
	codes := []any{}
	for _, issue := range must(metering.CheckPrice(must(json.Marshal(card)))) {
		codes = append(codes, issue.Code)
	}
	got := document{"valid": len(codes) == 0, "errors": codes}
	if len(codes) > 0 {
		got["error"] = codes[0]
	}
	expect(item["expect"], got, "issues")
}
