// Invoices are booked on their tenant's account; tenants do not wait for each other.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

func main() {
	h := &handler{ledger: &ledger{accounts: map[string]*account{}}}
	tenants := []string{"acme", "initech", "globex", "acme", "acme", "umbrella"}
	for n := 0; ; n++ {
		tenant := tenants[n%len(tenants)]
		if tenant != "acme" {
			h.ledger.renew(tenant)
		}
		go h.postInvoice(tenant)
		if n < 240 {
			time.Sleep(6 * time.Millisecond)
		} else {
			time.Sleep(3 * time.Millisecond)
		}
	}
}
