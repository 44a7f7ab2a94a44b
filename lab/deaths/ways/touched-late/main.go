// A table of a gigabyte is reserved as the program starts and costs nothing, until its pages are written to one after
// another.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

type slot struct{ key, value, _, _ uint64 }

type table struct {
	slots []slot
	used  int
}

//go:noinline
func reserve(n int) *table { return &table{slots: make([]slot, n)} }

//go:noinline
func (t *table) set(key, value uint64) {
	t.slots[t.used] = slot{key: key, value: value}
	t.used++
}

func main() {
	t := reserve(1 << 25)
	time.Sleep(2500 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*2.2e6); n++ {
			t.set(uint64(n), 1)
		}
	}
}
