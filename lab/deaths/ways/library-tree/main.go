// Addresses are kept in a tree of a library, one for each that was ever seen. The nodes are the library's; who puts them
// in and takes none out is the program.
package main

import (
	"fmt"
	"time"

	"example.org/radix"

	_ "example.com/ways/internal/profiled"
)

type visit struct {
	first, last int64
	times       int
}

type limiter struct{ seen radix.Tree[visit] }

// allow is asked for every address.
func (l *limiter) allow(addr string) bool {
	v, ok := l.seen.Get(addr)
	if !ok {
		v.first = time.Now().Unix()
	}
	v.times++
	l.seen.Insert(addr, v)
	return v.times < 100
}

func main() {
	l := &limiter{}
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*60_000); n++ {
			l.allow(fmt.Sprintf("%x", uint32(n)*2654435761))
		}
	}
}
