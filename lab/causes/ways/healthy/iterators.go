//go:build go1.23

package main

import (
	"iter"
	"time"
	"unique"

	"example.com/causes/internal/plant"
)

func iterators() {
	idiom("iter-pull", 100, pulled)
	idiom("unique", 100, uniques)
}

// pulled has coroutines, each at rest between two values.
func pulled(name string, n int) {
	for i := 0; i < n; i++ {
		next, stop := iter.Pull(func(yield func(int) bool) {
			for k := 0; yield(k); k++ {
			}
		})
		next()
		plant.AtEnd(stop)
	}
}

type by struct{ c chan int }

func uniques(name string, n int) {
	for i := 0; i < n; i++ {
		h := unique.Make(by{make(chan int)})
		wait(name, 1, func(int) { <-h.Value().c })
		time.AfterFunc(time.Hour, func() { close(h.Value().c) })
	}
}
