//go:build goexperiment.arenas

package main

import (
	"arena"
	"fmt"
	"unsafe"
)

// more fills a user arena: its objects lie in chunks that are one object each for the collector.
func more(nodes []*node) {
	a := arena.NewArena()
	pointers := arena.MakeSlice[*node](a, 1000, 1000)
	for i := range pointers {
		pointers[i] = fill(nodes, i)
	}
	values := arena.MakeSlice[mixed](a, 50, 50)
	for i := range values {
		values[i] = someMixed(nodes, i)
	}
	over := arena.New[over](a)
	over.p, over.q = nodes[3], nodes[4]
	keep = append(keep, a)
	plant("arena", pointers)
	plant("arena", values)
	plant("arena", over)
	fmt.Fprintln(devNull{}, unsafe.Pointer(over))
}

type devNull struct{}

func (devNull) Write(b []byte) (int, error) { return len(b), nil }
