// Devices report over a stream each, and the last values of each are kept in a window while it is there.
package main

import (
	"bytes"
	"encoding/binary"
	"time"

	_ "example.com/ways/internal/debugport"
)

func report(version, frames int) *bytes.Reader {
	var b bytes.Buffer
	for i := 0; i < frames; i++ {
		var head [8]byte
		binary.BigEndian.PutUint32(head[:], uint32(version))
		binary.BigEndian.PutUint32(head[4:], uint32(i))
		b.Write(head[:])
	}
	return bytes.NewReader(b.Bytes())
}

func main() {
	s := &service{window: 6000}
	began := time.Now()
	for device := 0; ; device++ {
		version := 2
		if device%3 != 0 && time.Since(began) > 1400*time.Millisecond {
			version = 3
		}
		go s.Report(device, report(version, 20))
		time.Sleep(4 * time.Millisecond)
	}
}
