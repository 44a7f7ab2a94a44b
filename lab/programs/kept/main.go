// Package variables that keep three elements of a slice, and with them all of its array: the first ones (the
// function is the one that people are taught the mistake by) and the last ones; beside them the same without the
// mistake.
package main

import (
	"fmt"
	"os"
	"runtime"
)

var a []int
var tail []int
var copied []int

func test(b []int) {
	a = b[:3]
	return
}

func last(b []int) {
	tail = b[len(b)-3:]
}

func healthy(b []int) {
	copied = append([]int(nil), b[:3]...)
}

func main() {
	test(make([]int, 1_000_000))
	last(make([]int, 500_000))
	healthy(make([]int, 500_000))
	runtime.GC()
	// The linker leaves the profile out of programs that never read it.
	runtime.MemProfile(nil, false)
	fmt.Println("ready")
	// Until whoever looks is done.
	_, _ = os.Stdin.Read(make([]byte, 1))
	fmt.Println(len(a), len(tail), len(copied))
}
