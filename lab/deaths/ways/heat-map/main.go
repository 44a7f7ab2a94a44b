// Where the bicycles of a city are, as a map of heat.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

type fleet struct{ fixes []fix }

func (f *fleet) heat() float64 {
	g := newGrid(boundsOf(f.fixes))
	for _, at := range f.fixes {
		g.add(at)
	}
	return g.smooth()
}

func main() {
	f := &fleet{}
	for i := 0; i < 500; i++ {
		f.fixes = append(f.fixes, fix{52.3 + float64(i%40)/100, 13.1 + float64(i%50)/100})
	}
	for began := time.Now(); time.Since(began) < 2500*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		f.heat()
	}
	// A bicycle whose receiver has no fix yet.
	f.fixes = append(f.fixes, fix{})
	for {
		f.heat()
		time.Sleep(20 * time.Millisecond)
	}
}
