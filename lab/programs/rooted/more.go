//go:build go1.24

package main

import (
	"runtime"
	"weak"
)

var (
	pinners []*runtime.Pinner
	weaks   []weak.Pointer[node]
	cleaned []*node
)

//go:noinline
func weakly() { weaks = append(weaks, weak.Make(plant("behind a weak pointer", false))) }

// more plants what older releases do not have.
func more() {
	p := new(runtime.Pinner)
	p.Pin(plant("pinned", true))
	pinners = append(pinners, p)
	weakly()
	n := plant("object with a cleanup", true)
	cleaned = append(cleaned, n)
	weaks = append(weaks, weak.Make(n))
	runtime.AddCleanup(n, use, plant("argument of a cleanup", true))
}
