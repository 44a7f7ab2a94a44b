// Measurements lie in shards; the export of a day reads all of them side by side.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

func main() {
	e := &exporter{}
	for i := 0; i < 4; i++ {
		e.shards = append(e.shards, &shard{stations: []string{"north", "south", "harbour"}})
	}
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		e.day(1)
	}
	// A shard that was added today, and has no station yet.
	e = &exporter{shards: append(e.shards[:4:4], &shard{})}
	for day := 0; ; day++ {
		go e.day(day)
		time.Sleep(5 * time.Millisecond)
	}
}
