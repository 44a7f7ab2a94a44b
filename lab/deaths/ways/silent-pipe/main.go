// Converters are fed through pipes whose writers never write and never close: each worker waits in a read, with a
// block of 512 kB to read into.
package main

import (
	"io"
	"os"
	"time"

	_ "example.com/ways/internal/profiled"
)

type feed struct {
	r, w *os.File
}

var feeds []*feed

func newFeed() *feed {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	return &feed{r: r, w: w}
}

// readBlock fills a block, and waits for as long as the pipe is silent.
//
//go:noinline
func readBlock(r io.Reader) ([]byte, error) {
	block := make([]byte, 512<<10)
	for i := range block {
		block[i] = 0xff
	}
	n, err := io.ReadFull(r, block)
	return block[:n], err
}

func convert(f *feed) {
	defer f.r.Close()
	for {
		block, err := readBlock(f.r)
		if err != nil || len(block) == 0 {
			return
		}
	}
}

func main() {
	time.Sleep(1300 * time.Millisecond)
	for {
		f := newFeed()
		feeds = append(feeds, f)
		go convert(f)
		time.Sleep(6 * time.Millisecond)
	}
}
