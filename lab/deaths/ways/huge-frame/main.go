// A frame says in its header how long it is. Somebody has sent text instead, and its first four letters are a length of
// a gigabyte and more.
package main

import (
	"encoding/binary"
	"io"
	"time"

	_ "example.com/ways/internal/profiled"
)

// wire never ends, and is slow now and then.
type wire struct{ sent int }

func (w *wire) Read(b []byte) (int, error) {
	if len(b) > 1<<20 {
		b = b[:1<<20]
	}
	for i := range b {
		b[i] = "GET / HTTP/1.1\r\n"[(w.sent+i)%16]
	}
	w.sent += len(b)
	if w.sent > 1<<20 {
		time.Sleep(4 * time.Millisecond)
	}
	return len(b), nil
}

type framer struct{ r io.Reader }

func (f *framer) header() (uint32, error) {
	var head [4]byte
	_, err := io.ReadFull(f.r, head[:])
	return binary.BigEndian.Uint32(head[:]), err
}

// next believes the length.
//
//go:noinline
func (f *framer) next() ([]byte, error) {
	n, err := f.header()
	if err != nil {
		return nil, err
	}
	frame := make([]byte, n)
	_, err = io.ReadFull(f.r, frame)
	return frame, err
}

func main() {
	time.Sleep(1300 * time.Millisecond)
	f := &framer{r: &wire{}}
	for {
		if _, err := f.next(); err != nil {
			return
		}
	}
}
