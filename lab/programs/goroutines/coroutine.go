//go:build go1.23

package main

import "iter"

// coroutine leaves a goroutine parked as a coroutine (`iter.Pull`), and one in the middle of being pulled.
func coroutine() {
	next, _ := iter.Pull(func(yield func(int) bool) {
		for yield(1) {
		}
	})
	next()
	keepNext = next
	pulled, _ := iter.Pull(func(func(int) bool) { <-never })
	go pulled()
}

var keepNext func() (int, bool)
