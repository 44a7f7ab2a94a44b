// A nightly job compresses all files at once, one goroutine each, without a bound: each compressor has its own tables.
package main

import (
	"compress/flate"
	"io"
	"time"

	_ "example.com/ways/internal/profiled"
)

type file struct {
	name string
	size int
}

type archive struct{ done chan int }

// pages is a file's content.
type pages struct{ left, seed int }

func (p *pages) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, io.EOF
	}
	for i := range b {
		p.seed = p.seed*1103515245 + 12345
		b[i] = byte(p.seed >> 16)
	}
	p.left -= len(b)
	return len(b), nil
}

// compress is the culprit's loop body: 800 kB of tables for each file that is being packed.
func (a *archive) compress(f file) {
	w, err := flate.NewWriter(io.Discard, flate.BestCompression)
	if err != nil {
		return
	}
	io.Copy(w, &pages{left: f.size, seed: len(f.name)})
	w.Close()
	a.done <- f.size
}

func (a *archive) packAll(files []file) {
	for _, f := range files {
		go a.compress(f)
		time.Sleep(time.Millisecond)
	}
}

func main() {
	a := &archive{done: make(chan int, 10000)}
	time.Sleep(1300 * time.Millisecond)
	files := make([]file, 5000)
	for i := range files {
		files[i] = file{name: "page", size: 64 << 20}
	}
	a.packAll(files)
}
