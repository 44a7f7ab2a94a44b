// Every page is rendered into four megabytes that are garbage at once, dozens a second: that is what the program
// allocates. What stays is a small thing, the fragments' checksums, kept for each page that there ever was.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

type sums struct {
	page int
	part [512]uint64
}

type site struct {
	size  int
	pages []*sums
}

//go:noinline
func render(page, size int) []byte {
	b := make([]byte, size)
	for i := 0; i < len(b); i += 512 {
		b[i] = byte(page + i)
	}
	return b
}

//go:noinline
func checksum(page int, content []byte) *sums {
	s := &sums{page: page}
	for i := 0; i < len(content); i += 512 {
		s.part[i/512%len(s.part)] += uint64(content[i])
	}
	return s
}

func (s *site) publish(page int, keep bool) {
	content := render(page, s.size)
	for part := 0; part < 256; part++ {
		if c := checksum(page, content[part<<14:][:16<<10]); keep {
			s.pages = append(s.pages, c)
		}
	}
}

func main() {
	s := &site{size: 4 << 20}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		s.publish(1, false)
	}
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*40); n++ {
			s.publish(n, true)
		}
	}
}
