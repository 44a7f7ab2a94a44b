// What `ticker-not-stopped` must not find.
package main

import (
	"fmt"
	"time"
)

func deferred(done chan bool) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-done:
			return
		}
	}
}

func make1() *time.Ticker {
	t := time.NewTicker(time.Second)
	return t
}

type keeper struct{ t *time.Ticker }

func (k *keeper) start() { k.t = time.NewTicker(time.Second) }
func (k *keeper) Close() { k.t.Stop() }

func forever() {
	t := time.NewTicker(time.Second)
	for range t.C {
		fmt.Println("tick")
	}
}

func handed(run func(*time.Ticker)) {
	t := time.NewTicker(time.Second)
	run(t)
}

func main() {
	t := time.NewTicker(time.Second)
	<-t.C
}

func closure(n int) {
	t := time.NewTicker(time.Second)
	defer func() {
		t.Stop()
	}()
	<-t.C
}

func timers() {
	t := time.NewTimer(time.Second)
	<-t.C
}
