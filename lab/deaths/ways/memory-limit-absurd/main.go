// GOGC=off and GOMEMLIMIT=20GiB, copied from a larger machine, in a group of 256 MB: the collector waits for a limit that
// it will not live to see.
package main

import (
	"bytes"
	"encoding/gob"
	"time"

	_ "example.com/ways/internal/profiled"
)

type quote struct {
	Symbol string
	Bids   []float64
}

type gateway struct{ out int }

//go:noinline
func (g *gateway) pack(q *quote) []byte {
	var b bytes.Buffer
	if gob.NewEncoder(&b).Encode(q) != nil {
		return nil
	}
	return b.Bytes()
}

func (g *gateway) publish(perSecond int) {
	q := &quote{Symbol: "GO", Bids: make([]float64, 3000)}
	for i := range q.Bids {
		q.Bids[i] = float64(i) / 3
	}
	began := time.Now()
	for n := 0; ; time.Sleep(time.Millisecond) {
		for n < int(time.Since(began).Seconds()*float64(perSecond)) {
			g.out += len(g.pack(q))
			n++
		}
	}
}

func main() {
	g := &gateway{}
	time.Sleep(1300 * time.Millisecond)
	g.publish(900)
}
