// The collector is switched off and a memory limit set in its place: four fifths of the node's memory, not of the
// group's.
package main

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"time"

	_ "example.com/ways/internal/profiled"
)

const node = 16 << 30

type point struct {
	Name  string
	Tags  []string
	Value float64
}

type ingester struct{ points int }

func tune() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(node / 5 * 4)
}

func sample(n int) []point {
	points := make([]point, n)
	for i := range points {
		points[i] = point{"cpu", []string{"host=a", "zone=b"}, float64(i)}
	}
	return points
}

//go:noinline
func pack(points []point) []byte {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(points); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func (in *ingester) ingest(n int) {
	var back []point
	if err := json.Unmarshal(pack(sample(n)), &back); err != nil {
		panic(err)
	}
	in.points += len(back)
}

func main() {
	tune()
	in := &ingester{}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(50 * time.Millisecond) {
		in.ingest(10)
	}
	for {
		in.ingest(1500)
		time.Sleep(4 * time.Millisecond)
	}
}
