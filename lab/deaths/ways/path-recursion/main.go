// A walk along a graph gives every step a copy of the path so far. One graph has a circle, and the walk goes round.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

type hop struct {
	from, to int64
	cost     float64
}

type graph struct{ next map[int64]int64 }

//go:noinline
func longer(path []hop, h hop) []hop {
	p := make([]hop, len(path)+1)
	copy(p, path)
	p[len(path)] = h
	return p
}

// edge asks the store.
func (g *graph) edge(at int64) (int64, bool) {
	time.Sleep(600 * time.Microsecond)
	to, ok := g.next[at]
	return to, ok
}

//go:noinline
func (g *graph) walk(at int64, path []hop) float64 {
	to, ok := g.edge(at)
	if !ok {
		return 0
	}
	mine := longer(path, hop{at, to, 1})
	rest := g.walk(to, mine)
	return rest + mine[len(mine)-1].cost
}

func main() {
	line := &graph{next: map[int64]int64{}}
	for i := int64(0); i < 30; i++ {
		line.next[i] = i + 1
	}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; {
		line.walk(0, nil)
	}
	circle := &graph{next: map[int64]int64{1: 2, 2: 3, 3: 1}}
	println(circle.walk(1, nil))
}
