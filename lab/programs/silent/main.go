// Program silent maps a file that may not answer, says where, and waits for its input to end: whoever reads that memory may wait for ever.
package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	page, err := syscall.Mmap(int(file.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	fmt.Println(uintptr(unsafe.Pointer(&page[0])))
	_, _ = os.Stdin.Read(make([]byte, 1))
}
