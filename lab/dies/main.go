// Grows at a given rate until somebody ends it: `lastgasp watch` is tested on how it dies. With -file it writes a large file instead, and lives.
package main

import (
	"flag"
	"os"
	"runtime"
	"time"
)

// What is kept, and why it dies.
var keep [][]byte

// growA allocates n bytes and touches every page of them.
//
//go:noinline
func growA(n int) {
	b := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
	}
	keep = append(keep, b)
}

// write fills the page cache and nothing else.
func write(file string, size int) {
	f, err := os.Create(file)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); size > 0; size -= len(block) {
		if _, err := f.Write(block); err != nil {
			panic(err)
		}
	}
}

func main() {
	rate := flag.Float64("rate", 1e8, "bytes per second; 0: as fast as it can")
	after := flag.Duration("after", time.Second, "calm before")
	base := flag.Int("base", 10<<20, "bytes that it holds all the time")
	file := flag.String("file", "", "write this file, over and over, instead of growing")
	size := flag.Int("size", 512<<20, "bytes of it")
	flag.Parse()
	// Without a reference to it the linker switches the profile off.
	runtime.MemProfile(nil, true)
	const block = 1 << 16
	for held := 0; held < *base; held += block {
		growA(block)
	}
	time.Sleep(*after)
	for *file != "" {
		write(*file, *size)
	}
	began, grown := time.Now(), 0.0
	for {
		for *rate == 0 || grown < *rate*time.Since(began).Seconds() {
			growA(block)
			grown += block
		}
		time.Sleep(time.Millisecond)
	}
}
