// Program hostile makes of itself what a recorder does not like, says where, and waits for its input to end: `map FILE [MB]` a page of a file that may not answer, beside so much of its own,
// `buckets N` a list of so many buckets of a memory profile at 64 bytes' distance, `threads N`, `maps N` mappings, `goroutines N`.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// anonymous maps so many bytes.
func anonymous(n int) []byte {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	check(err)
	return b
}

// buckets makes the list; runtime.bucket: next, allnext, typ, hash, size, nstk.
func buckets(n int) uintptr {
	const distance = 64
	all := anonymous(n * distance)
	first := uintptr(unsafe.Pointer(&all[0]))
	word := func(i, at int) *uintptr { return (*uintptr)(unsafe.Pointer(&all[i*distance+at])) }
	for i := 0; i < n; i++ {
		if i+1 < n {
			*word(i, 8) = first + uintptr((i+1)*distance)
		}
		*word(i, 16), *word(i, 40) = 1, 1
	}
	return first
}

func main() {
	n, at := 0, uintptr(0)
	if os.Args[1] != "map" {
		var err error
		n, err = strconv.Atoi(os.Args[2])
		check(err)
	}
	wait := make(chan bool)
	switch os.Args[1] {
	case "map":
		file, err := os.Open(os.Args[2])
		check(err)
		page, err := syscall.Mmap(int(file.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_PRIVATE)
		check(err)
		at = uintptr(unsafe.Pointer(&page[0]))
		if len(os.Args) > 3 {
			mb, err := strconv.Atoi(os.Args[3])
			check(err)
			own := anonymous(mb << 20)
			for i := 0; i < len(own); i += 4096 {
				own[i] = 1
			}
		}
	case "buckets":
		at = buckets(n)
	case "threads":
		for i := 0; i < n; i++ {
			started := make(chan bool)
			go func() {
				runtime.LockOSThread()
				close(started)
				// A system call that does not return keeps its thread.
				var fds [2]int
				check(syscall.Pipe(fds[:]))
				_, _ = syscall.Read(fds[0], make([]byte, 1))
			}()
			<-started
		}
	case "maps":
		for i := 0; i < n; i++ {
			page := anonymous(2 * 4096)
			check(syscall.Mprotect(page[:4096], syscall.PROT_READ))
		}
	case "goroutines":
		for i := 0; i < n; i++ {
			go func() { <-wait }()
		}
	}
	fmt.Println(at)
	_, _ = os.Stdin.Read(make([]byte, 1))
}
