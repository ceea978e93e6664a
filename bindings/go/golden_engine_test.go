package metering_test

import (
	"encoding/json"
	"testing"
	"time"

	"libmetering/metering"
)

// engineCase is a run of the grant engine from its beginning.
type engineCase struct {
	ID    string `json:"id"`
	Input struct {
		Aggregation string          `json:"aggregation"`
		Events      []engineUsage   `json:"usage_events"`
		Grants      json.RawMessage `json:"grants"` // or how many to make
		Start       struct {
			At          time.Time       `json:"at"`
			Balances    json.RawMessage `json:"balances"`
			Overage     float64         `json:"overage"`
			PeriodUsage float64         `json:"period_usage"`
			GrantUsage  float64         `json:"period_grant_usage"`
		} `json:"start"`
		Resets   []any     `json:"resets"`
		Preserve bool      `json:"preserve_overage_at_reset"`
		Until    time.Time `json:"until"`
	} `json:"input"`
	Expect struct {
		Error    any                    `json:"error"`
		Overage  json.Number            `json:"overage"`
		Usage    json.Number            `json:"period_usage"`
		Balances map[string]json.Number `json:"balances"`
	} `json:"expect"`
}

type engineUsage struct {
	At    time.Time   `json:"at"`
	Value json.Number `json:"value"`
}

type engineGrant struct {
	ID        string      `json:"id"`
	Amount    json.Number `json:"amount"`
	Priority  int         `json:"priority"`
	Effective time.Time   `json:"effective_at"`
	Created   *time.Time  `json:"created_at"`
	Voided    *time.Time  `json:"voided_at"`
	Ends      *struct {
		Unit  string `json:"unit"`
		Count int    `json:"count"`
	} `json:"expiration"`
	Rollover *struct {
		Min json.Number `json:"min"`
		Max json.Number `json:"max"`
	} `json:"rollover"`
	Recurrence *struct {
		Interval string    `json:"interval"`
		Anchor   time.Time `json:"anchor"`
	} `json:"recurrence"`
}

// document is the grant as SimulateEntitlement takes it.
func (g *engineGrant) document() document {
	grant := document{"id": g.ID, "amount": g.Amount.String(),
		"priority": g.Priority, "effective_at": g.Effective,
		"min_rollover_amount": "0", "max_rollover_amount": "0"}
	if g.Created != nil {
		grant["created_at"] = g.Created
	}
	if g.Voided != nil {
		grant["voided_at"] = g.Voided
	}
	if g.Ends != nil {
		units := map[string]string{"HOUR": "hour", "DAY": "day", "WEEK": "week",
			"MONTH": "month", "YEAR": "year"}
		grant["expiration"] = document{"duration": units[g.Ends.Unit],
			"count": g.Ends.Count}
	}
	if g.Rollover != nil {
		grant["min_rollover_amount"] = g.Rollover.Min.String()
		grant["max_rollover_amount"] = g.Rollover.Max.String()
	}
	if g.Recurrence != nil {
		grant["recurrence"] = document{"interval": g.Recurrence.Interval,
			"anchor": g.Recurrence.Anchor}
	}
	return grant
}

// question is the run as a document, or nil when it begins with what only a
// stored state has, or has usage inside a minute.
func (c *engineCase) question() document {
	in := &c.Input
	var grants []engineGrant
	var balances map[string]json.Number
	if json.Unmarshal(in.Grants, &grants) != nil ||
		json.Unmarshal(in.Start.Balances, &balances) != nil ||
		c.Expect.Error != nil || in.Aggregation != "SUM" ||
		in.Start.Overage != 0 || in.Start.PeriodUsage != 0 ||
		in.Start.GrantUsage != 0 || !in.Until.After(in.Start.At) ||
		!isMinute(in.Until) {
		return nil
	}
	usage, given, resets := []document{}, []document{}, []document{}
	for _, event := range in.Events {
		if !isMinute(event.At) {
			return nil
		}
		usage = append(usage, document{"at": event.At,
			"value": event.Value.String()})
	}
	for i := range grants {
		grant := &grants[i]
		left, isLeft := balances[grant.ID]
		if grant.Effective.Before(in.Start.At) || isLeft &&
			(!grant.Effective.Equal(in.Start.At) || left != grant.Amount) {
			return nil
		}
		given = append(given, grant.document())
	}
	for _, reset := range in.Resets {
		if members, ok := reset.(document); ok {
			reset = members["at"]
		}
		resets = append(resets, document{"at": reset, "retain_anchor": true})
	}
	return document{"entitlement": document{
		"usage_period":              document{"interval": "P100Y", "anchor": in.Start.At},
		"measure_usage_from":        in.Start.At,
		"preserve_overage_at_reset": in.Preserve},
		"grants": given, "resets": resets, "usage": usage, "at": in.Until}
}

func isMinute(at time.Time) bool { return at.Equal(at.Truncate(time.Minute)) }

// isAmount says whether two decimals are the same number.
func isAmount(want json.Number, got metering.Decimal) bool {
	value, err := metering.ParseDecimal(want.String())
	return err == nil && value.Cmp(got) == 0
}

func TestGoldenEngine(t *testing.T) {
	var file struct {
		Runs []engineCase `json:"engine_runs"`
	}
	readGolden(t, "entitlement_engine.json", &file)
	count := 0
	for i := range file.Runs {
		item := &file.Runs[i]
		question := item.question()
		if question == nil || differs(t, item.ID) {
			continue
		}
		count++
		t.Run(item.ID, func(t *testing.T) {
			answer, err := metering.SimulateEntitlement(
				must(json.Marshal(question)))
			if err != nil {
				t.Fatal(err)
			}
			var parsed struct {
				Values []struct {
					Overage metering.Decimal `json:"overage"`
					Usage   metering.Decimal `json:"usage"`
					Grants  []struct {
						ID      string           `json:"id"`
						Balance metering.Decimal `json:"balance"`
					} `json:"grants"`
				} `json:"values"`
			}
			if err := json.Unmarshal(answer, &parsed); err != nil {
				t.Fatal(err)
			}
			got := parsed.Values[len(parsed.Values)-1]
			left := map[string]metering.Decimal{}
			for _, grant := range got.Grants {
				left[grant.ID] = grant.Balance
			}
			for id, amount := range item.Expect.Balances {
				if !isAmount(amount, left[id]) {
					t.Errorf("%s: %v, want %v", id, left[id], amount)
				}
			}
			if want := item.Expect.Overage; want != "" &&
				!isAmount(want, got.Overage) {
				t.Errorf("overage %v, want %v", got.Overage, want)
			}
			if want := item.Expect.Usage; want != "" &&
				!isAmount(want, got.Usage) {
				t.Errorf("usage %v, want %v", got.Usage, want)
			}
		})
	}
	if count < 10 {
		t.Errorf("only %d runs", count)
	}
}
