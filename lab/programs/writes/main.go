// Holds some memory and writes a large file, over and over: its group is full of page cache, and nothing is wrong with it.
package main

import (
	"flag"
	"os"
	"runtime"
	"time"
)

// What it holds all the time.
var held []byte

func main() {
	base := flag.Int("base", 10<<20, "bytes that it holds all the time")
	file := flag.String("file", "", "what it writes")
	size := flag.Int("size", 300<<20, "bytes of it")
	flag.Parse()
	// Without a reference to it the linker switches the profile off.
	runtime.MemProfile(nil, true)
	held = make([]byte, *base)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	time.Sleep(100 * time.Millisecond)
	for {
		write(*file, *size)
	}
}

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
