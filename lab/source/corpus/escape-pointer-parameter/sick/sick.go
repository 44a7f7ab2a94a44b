// What `escape-pointer-parameter` must find.
package sick

import (
	"fmt"
)

type point struct{ x, y int }

func norm(p *point) int { return p.x*p.x + p.y*p.y } // want escape-pointer-parameter

type opts struct {
	name  string
	limit int
}

func show(o *opts) string { return fmt.Sprint(o.name, o.limit) } // want escape-pointer-parameter

type id struct{ n int64 }

func (s *srv) find(k *id) bool { return k.n == s.last } // want escape-pointer-parameter

type srv struct{ last int64 }

func far(a *point, n int) bool { return a.x > n } // want escape-pointer-parameter

type flag struct{ on bool }

func isOn(f *flag) bool { // want escape-pointer-parameter
	if f.on {
		return true
	}
	return false
}
