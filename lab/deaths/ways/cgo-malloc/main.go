// A codec in C keeps its tables, and nobody frees them: what malloc gives is in no heap profile.
package main

/*
#include <stdlib.h>
#include <string.h>
void *new_codec(int size) { void *p = malloc(size); if (p) memset(p, 1, size); return p; }
*/
import "C"

import (
	"time"
	"unsafe"

	_ "example.com/ways/internal/profiled"
)

type codec struct{ tables unsafe.Pointer }

//go:noinline
func newCodec() *codec { return &codec{tables: C.new_codec(100_000)} }

func main() {
	var all []*codec
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*700); n++ {
			all = append(all, newCodec())
		}
	}
}
