// A log is written into segments that are mapped by hand and never unmapped: no heap profile knows of them.
package main

import (
	"syscall"
	"time"

	_ "example.com/ways/internal/profiled"
)

type segment struct {
	memory []byte
	used   int
}

type commitLog struct{ segments []*segment }

func newSegment(size int) *segment {
	m, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(err)
	}
	return &segment{memory: m}
}

//go:noinline
func (l *commitLog) write(record []byte) {
	last := len(l.segments) - 1
	if last < 0 || l.segments[last].used+len(record) > len(l.segments[last].memory) {
		l.segments = append(l.segments, newSegment(8<<20))
		last++
	}
	s := l.segments[last]
	s.used += copy(s.memory[s.used:], record)
}

func main() {
	l, record := &commitLog{}, make([]byte, 4096)
	for i := range record {
		record[i] = byte(i)
	}
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*22_000); n++ {
			l.write(record)
		}
	}
}
