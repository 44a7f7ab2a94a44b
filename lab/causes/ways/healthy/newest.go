//go:build go1.24

package main

import (
	"runtime"
	"weak"

	"example.com/causes/internal/plant"
)

func newest() {
	idiom("cleanup", 100, cleanup)
	idiom("weak-pointer", 100, weakPointer)
}

// cleanup waits until what the main function holds is forgotten; the cleanup's argument is all that leads there.
func cleanup(name string, n int) {
	for i := 0; i < n; i++ {
		h := &handle{name: "h"}
		c := make(chan int)
		runtime.AddCleanup(h, func(c chan int) { close(c) }, c)
		wait(name, 1, func(int) { <-c })
		plant.AtEnd(func() { runtime.KeepAlive(h) })
	}
}

// weakPointer is how who wakes finds what is waited for, and who waits is what keeps it.
func weakPointer(name string, n int) {
	for i := 0; i < n; i++ {
		h := &handle{closed: make(chan int)}
		w := weak.Make(h)
		wait(name, 1, func(int) {
			<-h.closed
			runtime.KeepAlive(h)
		})
		plant.AtEnd(func() {
			if h := w.Value(); h != nil {
				close(h.closed)
			}
		})
	}
}
