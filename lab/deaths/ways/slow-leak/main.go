// Twenty megabytes a second of closures: everybody who asks for changes is kept, and nobody is ever let go.
package main

import (
	"context"
	"time"

	_ "example.com/ways/internal/debugport"
)

type settings struct {
	listeners []func(string)
	version   int
}

// onChange keeps whoever wants to hear of changes.
func (s *settings) onChange(f func(string)) { s.listeners = append(s.listeners, f) }

type request struct {
	id      int
	scratch [1 << 12]int64
}

//go:noinline
func newRequest(id int) *request {
	r := &request{id: id}
	for i := range r.scratch {
		r.scratch[i] = int64(id)
	}
	return r
}

func handle(ctx context.Context, s *settings, id int) {
	r := newRequest(id)
	s.onChange(func(v string) { r.scratch[0] = int64(len(v)) })
	select {
	case <-ctx.Done():
	default:
	}
}

func main() {
	s := &settings{}
	ctx := context.Background()
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		rate := 20.0
		if time.Since(began) > 1300*time.Millisecond {
			rate = 610
		}
		for ; n < int(time.Since(began).Seconds()*rate); n++ {
			handle(ctx, s, n)
		}
	}
}
