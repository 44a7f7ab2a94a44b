// Small jobs of many tenants, one after the other, that are stopped if the service is.
package main

import (
	"context"
	"os/signal"
	"syscall"
	"time"

	_ "example.com/ways/internal/profiled"
)

// every does something so many times a second.
func every(perSecond float64, do func(n int)) {
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; float64(n) < time.Since(began).Seconds()*perSecond; n++ {
			do(n)
		}
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	r := &runner{ctx: ctx}
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		r.replace(0)
	}
	every(32_000, func(id int) {
		r.replace(id)
	})
}
