// Addresses are looked up, some hundreds at a time.
package main

import (
	"fmt"
	"time"

	_ "example.com/ways/internal/profiled"
)

const config = `{"gc_percent": 1200, "streets": 40000}`

func main() {
	t := configure(config)
	g := load(t.Streets)
	lines := make([]string, 400)
	for i := range lines {
		lines[i] = fmt.Sprintf("Street %d, Floor 3, House 11, Springfield, somewhere in the north of the county", i*97)
	}
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		g.batch(lines[:4])
	}
	for {
		g.batch(lines)
		time.Sleep(time.Millisecond)
	}
}
