// What `escape-interface-call` must find.
package sick

import (
	"io"
)

type shape interface{ area(p *point) int }
type point struct{ x, y int }

func a(s shape) int {
	p := point{1, 2}
	return s.area(&p) // want escape-interface-call
}

func b(r io.Reader) (int, error) {
	var buf [64]byte
	return r.Read(buf[:]) // want escape-interface-call
}

func c(s shape) int { return s.area(&point{3, 4}) } // want escape-interface-call

type box struct{ w io.Writer }

func (b *box) put() {
	var tmp [8]byte
	b.w.Write(tmp[:]) // want escape-interface-call
}

type visitor interface{ visit(n *int) }

func d(v visitor, n int) { v.visit(&n) } // want escape-interface-call
