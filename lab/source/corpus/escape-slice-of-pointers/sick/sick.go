// What `escape-slice-of-pointers` must find.
package sick

import (
	"fmt"
)

type item struct{ n int }

func a() []*item { return []*item{{n: 1}, {n: 2}} } // want escape-slice-of-pointers

func b(xs []*item) []*item { return append(xs, &item{n: 3}) } // want escape-slice-of-pointers

func c(n int) (out []*string) {
	for i := 0; i < n; i++ {
		s := fmt.Sprint(i)
		out = append(out, &s) // want escape-slice-of-pointers
	}
	return out
}

func d(x, y int) []*int { return []*int{&x, &y} } // want escape-slice-of-pointers

type list struct{ items []*item }

func (l *list) add(n int) {
	l.items = append(l.items, &item{n: n}) // want escape-slice-of-pointers
}
