// Uploads are spooled to files so that they do not lie in the heap. The files have no disk: they are in memory.
package main

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	_ "example.com/ways/internal/profiled"
)

type spool struct{ files []*os.File }

// create makes a file in memory (memfd_create of amd64 and arm64).
func create(name string) *os.File {
	text, err := syscall.BytePtrFromString(name)
	if err != nil {
		panic(err)
	}
	fd, _, no := syscall.Syscall(memfdCreate, uintptr(unsafe.Pointer(text)), 0, 0)
	if no != 0 {
		panic(no)
	}
	return os.NewFile(fd, name)
}

func (s *spool) upload(chunk []byte, n int) error {
	f := create("upload")
	s.files = append(s.files, f)
	for i := 0; i < n; i++ {
		if _, err := f.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}

func (s *spool) done() {
	for _, f := range s.files {
		f.Close()
	}
	s.files = nil
}

func main() {
	s := &spool{}
	chunk := make([]byte, 64<<10)
	for i := range chunk {
		chunk[i] = byte(i)
	}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		s.upload(chunk, 4)
		s.done()
	}
	for {
		if err := s.upload(chunk, 16); err != nil {
			panic(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
