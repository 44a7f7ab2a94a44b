// Two hundred accounts, and the transfers between them.
package main

import (
	"time"

	_ "example.com/ways/internal/debugport"
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
	written := map[string]int{}
	b := &bank{accounts: &repository{
		accounts: map[int64]*account{},
		saved:    map[int64]int{},
		log:      func(_ int64, _ int, e event) { written[e.kind()]++ },
	}}
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		b.transfer(1, 2, 5)
	}
	every(45_000, func(n int) {
		b.transfer(int64(n%200), int64((n*7+3)%200), int64(n%90))
	})
}
