// Forward rates of 120 pairs of currencies, built anew with each price that comes.
package main

import (
	"fmt"
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
	r := &rates{curves: &cache{curves: map[string]*curve{}, ttl: time.Hour}}
	pairs := make([]string, 120)
	for i := range pairs {
		pairs[i] = fmt.Sprintf("C%02d/EUR", i)
		r.quoted(pairs[i], float64(i))
	}
	time.Sleep(1400 * time.Millisecond)
	sum := 0.0
	every(6500, func(n int) {
		r.quoted(pairs[n%len(pairs)], float64(n))
		sum += r.forward(pairs[n%7], n%365)
	})
}
