// What `escape-interface-call` must not find.
package healthy

import (
	"io"
	"os"
)

type shape interface{ area(p point) int }
type point struct{ x, y int }
type square struct{}

func (square) area(p *point) int { return p.x }

func a(s square) int {
	p := point{1, 2}
	return s.area(&p)
}

func b(s shape) int                          { return s.area(point{1, 2}) }
func c(r io.Reader, buf []byte) (int, error) { return r.Read(buf) }
func d(f *os.File, buf []byte) (int, error)  { return f.Read(buf) }
func e(s shape, p *point) int                { return s.area(*p) }
