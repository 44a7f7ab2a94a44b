// Command offheap holds memory in places that a heap profile does not show: 200 MB mapped by hand, 100 MB of Go heap that is written, 50 MB of it that never was,
// and 30 MB of package-level variables. It prints READY and stands still until its input ends.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
)

const mb = 1 << 20

var (
	variables [30 * mb]byte
	written   [][]byte
	untouched [][]byte
)

func touch(b []byte) {
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}

func main() {
	debug.SetGCPercent(-1)
	mapped, err := syscall.Mmap(-1, 0, 200*mb, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	touch(mapped)
	touch(variables[:])
	for i := 0; i < 100; i++ {
		b := make([]byte, mb)
		touch(b)
		written = append(written, b)
	}
	untouched = append(untouched, make([]byte, 50*mb))
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(written)
	runtime.KeepAlive(untouched)
	fmt.Println(mapped[0], variables[0])
}
