// What `escape-append-growth` must find.
package sick

import (
	"bufio"
)

func a(n int) []int {
	var out []int
	for i := 0; i < n; i++ {
		out = append(out, i) // want escape-append-growth
	}
	return out
}

func b(in <-chan string) []string {
	out := []string{}
	for s := range in {
		out = append(out, s) // want escape-append-growth
	}
	return out
}

func c(sc *bufio.Scanner) [][]byte {
	out := make([][]byte, 0)
	for sc.Scan() {
		out = append(out, sc.Bytes()) // want escape-append-growth
	}
	return out
}

func d(xs []int) (n int) {
	var even []int
	for _, x := range xs {
		if x%2 == 0 {
			even = append(even, x) // want escape-append-growth
		}
	}
	return len(even)
}

func e(words []string) string {
	var b []byte
	for _, w := range words {
		b = append(b, w...) // want escape-append-growth
	}
	return string(b)
}
