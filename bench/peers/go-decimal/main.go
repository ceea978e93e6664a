// Rating in Go with shopspring/decimal, the decimal that Go programs use,
// written from the rules of the prices as one would who has no library. See
// bench/peers.py for the protocol.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/shopspring/decimal"
)

const quantityCount = 4096

type tier struct {
	UpTo *decimal.Decimal `json:"up_to"`
	Unit decimal.Decimal  `json:"unit"`
	Flat decimal.Decimal  `json:"flat"`
}

type price struct {
	Amount     decimal.Decimal `json:"amount"`
	Size       decimal.Decimal `json:"quantity_per_package"`
	Multiplier decimal.Decimal `json:"multiplier"`
	Tiers      []tier          `json:"tiers"`
}

type rating func(p *price, quantity decimal.Decimal) decimal.Decimal

// Half away from zero, to the cent.
func money(amount decimal.Decimal) decimal.Decimal {
	return amount.Round(2)
}

func rateUnit(p *price, quantity decimal.Decimal) decimal.Decimal {
	return money(quantity.Mul(p.Amount))
}

func ratePackage(p *price, quantity decimal.Decimal) decimal.Decimal {
	packages, rest := quantity.QuoRem(p.Size, 0)
	if rest.IsPositive() {
		packages = packages.Add(decimal.NewFromInt(1))
	}
	return money(packages.Mul(p.Amount))
}

// Every tier that is entered: what is in it, and its flat part.
func rateGraduated(p *price, quantity decimal.Decimal) decimal.Decimal {
	total := money(p.Tiers[0].Flat)
	start := decimal.Zero
	for i, t := range p.Tiers {
		if quantity.LessThanOrEqual(start) {
			break
		}
		end := quantity
		if t.UpTo != nil && t.UpTo.LessThan(end) {
			end = *t.UpTo
		}
		total = total.Add(money(end.Sub(start).Mul(t.Unit)))
		if i > 0 {
			total = total.Add(money(t.Flat))
		}
		start = end
	}
	return total
}

// The whole quantity by the tier that it reaches.
func rateVolume(p *price, quantity decimal.Decimal) decimal.Decimal {
	for _, t := range p.Tiers {
		if t.UpTo == nil || quantity.LessThanOrEqual(*t.UpTo) {
			return money(quantity.Mul(t.Unit)).Add(money(t.Flat))
		}
	}
	panic("no tier")
}

func rateDynamic(p *price, quantity decimal.Decimal) decimal.Decimal {
	return money(quantity.Mul(p.Multiplier))
}

// 0 to 99999.99, by SplitMix64: the same in every peer.
func makeQuantities() []decimal.Decimal {
	state := uint64(1)
	var all []decimal.Decimal
	for range quantityCount {
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		all = append(all, decimal.New(int64(z%10000000), -2))
	}
	return all
}

// Of the whole process: what else the machine does is not in it.
func processorTime() time.Duration {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

type work struct {
	Case       string `json:"case"`
	Who        string `json:"who"`
	HasResults bool   `json:"has_results"`
	rate       func(i int) decimal.Decimal
}

func allWork(folder string) []work {
	quantities := makeQuantities()
	names := []string{"unit", "package", "graduated", "volume", "dynamic"}
	ratings := []rating{rateUnit, ratePackage, rateGraduated, rateVolume,
		rateDynamic}
	prices := make([]price, len(names))
	const who = "Go shopspring/decimal"
	all := []work{{"invoice of 5 lines", who, true, func(i int) decimal.Decimal {
		sum := decimal.Zero
		for line, rate := range ratings {
			at := (i*len(ratings) + line) % quantityCount
			sum = sum.Add(rate(&prices[line], quantities[at]))
		}
		return sum
	}}}
	for line, name := range names {
		text, err := os.ReadFile(filepath.Join(folder, name+".json"))
		must(err)
		must(json.Unmarshal(text, &prices[line]))
		all = append(all, work{"line: " + name, who, true,
			func(i int) decimal.Decimal {
				return ratings[line](&prices[line],
					quantities[i%quantityCount])
			}})
	}
	return all
}

func main() {
	all := allWork(os.Args[1])
	out := json.NewEncoder(os.Stdout)
	must(out.Encode(map[string]any{"cases": all}))
	lines := bufio.NewScanner(os.Stdin)
	var last decimal.Decimal
	for lines.Scan() {
		var index, count int
		_, err := fmt.Sscan(lines.Text(), &index, &count)
		must(err)
		began := processorTime()
		for i := range count {
			last = all[index].rate(i)
		}
		answer := map[string]any{"ns": (processorTime() - began).Nanoseconds(),
			"count": count}
		if strings.HasSuffix(lines.Text(), "results") {
			results := make([]string, count)
			for i := range results {
				results[i] = all[index].rate(i).String()
			}
			answer["results"] = results
		}
		must(out.Encode(answer))
	}
	_ = last
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
