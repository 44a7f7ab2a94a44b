// What `slice-kept` must not find.
package healthy

import (
	"slices"
	"strings"
	"sync"
)

var a []int

func test(b []int) {
	a = append([]int(nil), b[:3]...)
}

func clone(b []int) {
	a = slices.Clone(b[:3])
}

var title string

func parse(doc string) {
	title = strings.Clone(doc[:10])
}

func local(b []int) int {
	c := b[:3]
	return len(c)
}

type buffer struct {
	mu  sync.Mutex
	buf []byte
	arr [64]byte
}

func (b *buffer) trim(n int) { b.buf = b.buf[:n] }

func (b *buffer) array() { b.buf = b.arr[:8] }

func (b *buffer) whole(p []byte) { b.buf = p[:] }

var raw []byte

func str(p []byte) { title = string(p[:4]) }

func copied(p []byte) {
	raw = make([]byte, 4)
	copy(raw, p[:4])
}

type scanner struct{ rest string }

func (s *scanner) next(n int) string {
	tok := s.rest[:n]
	s.rest = s.rest[n:]
	return tok
}
