// Get started with metering and billing: two consumers, their limits, plans,
// usage and invoices, in one process and without a network.
package main

import (
	_ "embed"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"libmetering/metering"
)

//go:embed catalog.json
var catalog []byte

func main() {
	directory := must(os.MkdirTemp("", "metering-"))
	defer os.RemoveAll(directory)
	store := must(metering.Create(directory))
	defer store.Close()
	must(store.Apply(catalog)) // meters, plans, customers, consumers, limits
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	defer gateway.Close()

	upstream := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello ", r.Header.Get("X-Consumer-Username"))
	})
	handler := gateway.Handler(upstream, metering.HandlerOptions{})
	for _, key := range []string{"ariel-key", "rosario-key"} {
		for i := 1; i <= 6; i++ { // the sixth request of a minute is refused
			request := httptest.NewRequest("GET", "/anything", nil)
			request.Header.Set("apikey", key)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			fmt.Println(i, answer.Code, answer.Body)
		}
	}
	must(store.Settle()) // a server does so every second: gateway.Run
	for _, customer := range []string{"ariel", "rosario"} {
		left := must(store.Entitlement(customer, "example_service", time.Time{}))
		fmt.Printf("%s: %v used, %v left\n", customer, left.Usage, left.Balance)
		invoice := must(store.InvoicePreview(customer, time.Time{}, true))
		fmt.Println(must(metering.RenderInvoice(invoice, metering.InvoiceAsText)))
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
