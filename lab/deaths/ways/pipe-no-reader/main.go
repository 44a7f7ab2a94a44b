// An export is written into a pipe while it is uploaded from there. An upload that is refused returns, and does not
// close its end of the pipe.
package main

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	_ "example.com/ways/internal/profiled"
)

type record [64]uint64

type exporter struct{ refused bool }

var errRefused = errors.New("403 quota exceeded")

//go:noinline
func query(n int) []record {
	records := make([]record, n)
	for i := range records {
		records[i][0] = uint64(i)
	}
	return records
}

func (x *exporter) write(w *io.PipeWriter, n int) {
	records := query(n)
	for i := range records {
		if err := binary.Write(w, binary.LittleEndian, records[i][:4]); err != nil {
			return
		}
	}
	w.Close()
}

func (x *exporter) upload(r io.Reader) error {
	if x.refused {
		return errRefused
	}
	_, err := io.Copy(io.Discard, r)
	return err
}

func (x *exporter) export(n int) error {
	r, w := io.Pipe()
	go x.write(w, n)
	return x.upload(r)
}

func main() {
	x := &exporter{}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		x.export(600)
	}
	x.refused = true
	for {
		x.export(600)
		time.Sleep(7 * time.Millisecond)
	}
}
