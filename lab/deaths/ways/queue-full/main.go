// Events go through a channel with room for a million; who writes them down takes a millisecond for each, and three
// times as many arrive.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

type event struct {
	at      time.Time
	payload [2000]uint64
}

type pipeline struct {
	queue   chan *event
	written int
}

//go:noinline
func newEvent(n int) *event {
	e := &event{at: time.Now()}
	for i := range e.payload {
		e.payload[i] = uint64(n)
	}
	return e
}

func (p *pipeline) ingest(perSecond int) {
	began := time.Now()
	for n := 0; ; time.Sleep(time.Millisecond) {
		for n < int(time.Since(began).Seconds()*float64(perSecond)) {
			p.queue <- newEvent(n)
			n++
		}
	}
}

func (p *pipeline) writeDown() {
	for range p.queue {
		time.Sleep(2 * time.Millisecond)
		p.written++
	}
}

func main() {
	p := &pipeline{queue: make(chan *event, 1_000_000)}
	go p.writeDown()
	go p.ingest(300)
	time.Sleep(1300 * time.Millisecond)
	p.ingest(6000)
}
