// What `escape-append-growth` must not find.
package healthy

import (
	"fmt"
)

func a(n int) []int {
	out := make([]int, 0, n)
	for i := 0; i < n; i++ {
		out = append(out, i)
	}
	return out
}

func b(buf []byte, words []string) []byte {
	for _, w := range words {
		buf = append(buf, w...)
	}
	return buf
}

func c() []int { return append([]int(nil), 1, 2) }

func d(xs []int) {
	for range xs {
		var inner []int
		inner = append(inner, 1)
		fmt.Println(inner)
	}
}

func e(xs []int) []int {
	out := xs[:0]
	for _, x := range xs {
		out = append(out, x)
	}
	return out
}
