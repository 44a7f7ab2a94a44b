// Requests at work are entered in a table by their id and taken out when they have been answered. Those whose client has
// gone away return before that, and stay in the table for good.
package main

import (
	"fmt"
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type inflight struct {
	id    string
	began time.Time
	body  []byte
}

type tracker struct{ requests sync.Map }

//go:noinline
func newInflight(id string) *inflight {
	in := &inflight{id: id, began: time.Now(), body: make([]byte, 12<<10)}
	for i := range in.body {
		in.body[i] = id[i%len(id)]
	}
	return in
}

func (t *tracker) begin(id string) *inflight {
	in := newInflight(id)
	t.requests.Store(id, in)
	return in
}

func (t *tracker) handle(id string, gone bool) int {
	in := t.begin(id)
	if gone {
		return 0
	}
	t.requests.Delete(id)
	return len(in.body)
}

func (t *tracker) serve(ids <-chan int, quiet time.Time) {
	for id := range ids {
		t.handle(fmt.Sprintf("req-%08x", id), time.Now().After(quiet) && id%8 != 0)
	}
}

func main() {
	t := &tracker{}
	ids := make(chan int)
	began := time.Now()
	for w := 0; w < 4; w++ {
		go t.serve(ids, began.Add(1300*time.Millisecond))
	}
	for n := 0; ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*4500); n++ {
			ids <- n
		}
	}
}
