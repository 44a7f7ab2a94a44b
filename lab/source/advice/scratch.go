package main

import "sync"

//go:noinline
func checksum(n int) int {
	scratch := make([]byte, n)
	for i := range scratch {
		scratch[i] = byte(i)
	}
	return int(scratch[n/2])
}

func scratchAsIs(n int) int { return checksum(n) }

var scratches = sync.Pool{New: func() any { b := make([]byte, 4096); return &b }}

//go:noinline
func checksumPooled(n int) int {
	of := scratches.Get().(*[]byte)
	scratch := (*of)[:n]
	for i := range scratch {
		scratch[i] = byte(i)
	}
	sum := int(scratch[n/2])
	scratches.Put(of)
	return sum
}

func scratchCured(n int) int { return checksumPooled(n) }
