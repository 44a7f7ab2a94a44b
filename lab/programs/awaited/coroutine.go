//go:build go1.23

package main

import "iter"

func init() { moreWaits = append(moreWaits, coroutine) }

// A coroutine that nobody resumes.
func coroutine() {
	next, stop := iter.Pull(func(yield func(int) bool) {
		truth = append(truth, goroutine{Name: "coroutine", ID: id(), Waits: []wait{{Operation: "coroutine"}}})
		yield(1)
	})
	next()
	hold = append(hold, next, stop)
}
