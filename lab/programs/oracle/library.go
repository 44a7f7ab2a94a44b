//go:build library

package main

import "C"

// OracleRun is main for a C program that loads this as a library: main itself is never called there.
//
//export OracleRun
func OracleRun(file *C.char) { observe(C.GoString(file)) }
