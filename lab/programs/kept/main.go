// A package variable that keeps three elements of a slice, and with them all of its array; beside it the same
// without the mistake. The function is the one that people are taught the mistake by.
package main

import (
	"fmt"
	"os"
	"runtime"
)

var a []int
var copied []int

func test(b []int) {
	a = b[:3]
	return
}

func healthy(b []int) {
	copied = append([]int(nil), b[:3]...)
}

func main() {
	test(make([]int, 500_000))
	healthy(make([]int, 500_000))
	runtime.GC()
	fmt.Println("ready")
	// Until whoever looks is done.
	_, _ = os.Stdin.Read(make([]byte, 1))
	fmt.Println(len(a), len(copied))
}
