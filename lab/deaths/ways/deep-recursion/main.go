// Includes are followed without a look at where one has been, and two templates include each other: two goroutines, and
// stacks of hundreds of megabytes.
package main

import (
	"strings"
	"time"

	_ "example.com/ways/internal/profiled"
)

type document struct {
	name     string
	includes []string
}

type library map[string]*document

// expand calls itself for each include.
//
//go:noinline
func (l library) expand(name string, depth int) int {
	var path [40]uint64
	d := l[strings.TrimSpace(name)]
	if d == nil {
		return depth
	}
	path[depth%len(path)] = uint64(depth)
	if depth%400 == 0 {
		time.Sleep(time.Millisecond)
	}
	longest := 0
	for _, include := range d.includes {
		if n := l.expand(include, depth+1); n > longest {
			longest = n
		}
	}
	return longest + int(path[depth%len(path)]&1)
}

func main() {
	l := library{
		"page":   {name: "page", includes: []string{"header"}},
		"header": {name: "header", includes: []string{"page"}},
	}
	time.Sleep(1300 * time.Millisecond)
	go l.expand("page", 0)
	l.expand("header", 1)
}
