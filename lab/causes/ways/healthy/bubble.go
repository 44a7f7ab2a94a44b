//go:build go1.25

// Bubbles need the timers of newer programs.
//
//go:debug asynctimerchan=0
package main

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"example.com/causes/internal/plant"
)

func bubbles() {
	testing.Init()
	idiom("bubble", 60, bubble)
}

// bubble has goroutines in a bubble of synctest that wait for one another; the last of them reads from outside, so that
// the bubble is not at its end.
func bubble(name string, n int) {
	r, w, err := os.Pipe()
	must(err)
	plant.AtEnd(func() { w.Close() })
	must(r.SetReadDeadline(time.Now().Add(time.Hour)))
	inside := func(t *testing.T) {
		gone := make(chan struct{})
		each := make(chan int)
		wait(name, n/2, func(int) { <-gone })
		wait(name, n-n/2, func(i int) {
			select {
			case each <- i:
			case <-gone:
			}
		})
		synctest.Wait()
		var b [1]byte
		r.Read(b[:])
		close(gone)
	}
	all := []testing.InternalTest{{Name: name, F: func(t *testing.T) { synctest.Test(t, inside) }}}
	go testing.Main(func(_, _ string) (bool, error) { return true, nil }, all, nil, nil)
}
