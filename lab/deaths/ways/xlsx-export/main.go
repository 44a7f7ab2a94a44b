// A hotel's bookings, to be downloaded as a table for as many days as are asked for.
package main

import (
	"time"

	_ "example.com/ways/internal/debugport"
)

func main() {
	e := &exporter{bookings: 80}
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		e.download(1)
	}
	done := make(chan int)
	go func() { done <- e.download(20 * 365) }()
	for {
		select {
		case <-done:
		case <-time.After(20 * time.Millisecond):
			e.download(1)
		}
	}
}
