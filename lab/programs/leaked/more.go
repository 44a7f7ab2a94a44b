//go:build go1.24

package main

import (
	"runtime"
	"weak"
)

// more has what came with Go 1.24: cleanups, weak pointers.
func more(h *held) {
	byCleanup := make(chan int)
	start("a cleanup has it", reachable, func() { <-byCleanup })
	owner := &service{name: "cleaned"}
	runtime.AddCleanup(owner, func(c chan int) { c <- 1 }, byCleanup)
	keep = append(keep, owner)

	s := &service{name: "weakly held", done: make(chan bool)}
	weakly = weak.Make(s)
	start("a weak package variable leads to it", globals, func() {
		<-s.done
		runtime.KeepAlive(s)
	})
	t := &service{name: "weakly held", done: make(chan bool)}
	h.weakly = weak.Make(t)
	start("a weak pointer of main's leads to it", reachable, func() {
		<-t.done
		runtime.KeepAlive(t)
	})
}

var weakly weak.Pointer[service]
