// Command tiny-locks has a thousand lone mutexes, each of which its goroutine has locked twice. Each shares its block
// of the heap with a number that lives: whoever marks blocks, and not objects, finds no leak.
package main

import (
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

// living are the neighbours, spacing what shifts where in their blocks they stand.
var (
	living  []*int32
	spacing []*int64
)

//go:noinline
func one(fixed bool) *int32 {
	neighbour := new(int32)
	mu := new(sync.Mutex)
	go func() {
		plant.Here("neighbours", "stuck")
		mu.Lock()
		if fixed {
			time.Sleep(time.Hour)
			mu.Unlock()
		}
		mu.Lock()
		mu.Unlock()
	}()
	return neighbour
}

func neighbours(fixed bool) {
	for i := 0; i < 1000; i++ {
		// One word more, and from then on the neighbour stands behind its lock; two, and it stands before it.
		switch i {
		case 250:
			spacing = append(spacing, new(int64))
		case 500:
			spacing = append(spacing, new(int64), new(int64))
		}
		living = append(living, one(fixed))
	}
}

func main() {
	plant.Main(plant.Shape{Name: "neighbours", Run: neighbours})
}
