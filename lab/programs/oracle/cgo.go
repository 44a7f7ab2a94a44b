//go:build usecgo

package main

/*
#include <unistd.h>

static void stand_still(void) {
	for (;;) {
		pause();
	}
}
*/
import "C"

// parkInC leaves goroutines in C functions that do not return.
func parkInC() {
	for i := 0; i < 2; i++ {
		go inC()
	}
}

//go:noinline
func inC() { C.stand_still() }
