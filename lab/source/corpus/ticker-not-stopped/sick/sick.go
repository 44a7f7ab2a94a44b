// What `ticker-not-stopped` must find.
package sick

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

func once(done chan bool) {
	t := time.NewTicker(time.Second) // want ticker-not-stopped
	for {
		select {
		case <-t.C:
			fmt.Println("tick")
		case <-done:
			return
		}
	}
}

func waitFor(ready func() bool) {
	for range time.Tick(time.Millisecond) { // want ticker-not-stopped
		if ready() {
			return
		}
	}
}

func (p *poller) poll(n int) {
	ticker := time.NewTicker(p.every) // want ticker-not-stopped
	for i := 0; i < n; i++ {
		<-ticker.C
		p.count++
	}
}

type poller struct {
	every time.Duration
	count int
}

func timeout(ctx context.Context, f func()) error {
	tick := time.NewTicker(100 * time.Millisecond) // want ticker-not-stopped
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			f()
		}
	}
}

func handle(w http.ResponseWriter, r *http.Request) {
	ticker := time.NewTicker(time.Second) // want ticker-not-stopped
	for i := 0; i < 3; i++ {
		fmt.Fprintln(w, <-ticker.C)
	}
}

type monitor struct{ pulse *time.Ticker }

func start() *monitor {
	m := &monitor{}
	m.pulse = time.NewTicker(time.Second) // want ticker-not-stopped
	return m
}

func (m *monitor) wait() { <-m.pulse.C }
