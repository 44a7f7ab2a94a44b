package bugs

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// OffHeap maps memory by hand and never gives it back.
type OffHeap struct{}

var mapped struct {
	sync.Mutex
	all [][]byte
}

// Strike maps one more block.
func (OffHeap) Strike(bytes int, _ Surroundings) { mapFrame(bytes) }

func mapFrame(bytes int) {
	mem, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return
	}
	for i := 0; i < len(mem); i += 4096 {
		mem[i] = 1
	}
	mapped.Lock()
	mapped.all = append(mapped.all, mem)
	mapped.Unlock()
}

// SharedFiles writes files into memory (tmpfs), which are of the group that wrote them.
type SharedFiles struct{}

var files struct {
	sync.Mutex
	next int
}

// Strike writes one more.
func (SharedFiles) Strike(bytes int, around Surroundings) { spool(bytes, around.Scratch) }

func spool(bytes int, scratch string) {
	files.Lock()
	files.next++
	n := files.next
	files.Unlock()
	_ = os.WriteFile(filepath.Join(scratch, fmt.Sprintf("spool-%d-%d", os.Getpid(), n)), filled(bytes), 0o600)
}
