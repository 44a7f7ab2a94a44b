// What `make-without-size` must not find.
package healthy

import (
	"bufio"
)

func set(ids []int64) map[int64]bool {
	m := make(map[int64]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

func positive(xs []int) []int {
	out := make([]int, 0)
	for _, x := range xs {
		if x > 0 {
			out = append(out, x)
		}
	}
	return out
}

func read(in <-chan string) map[string]bool {
	m := make(map[string]bool)
	for s := range in {
		m[s] = true
	}
	return m
}

func sized(xs []int) []int {
	out := make([]int, 0, len(xs))
	for _, x := range xs {
		out = append(out, x)
	}
	return out
}

func lines(sc *bufio.Scanner) map[string]int {
	m := make(map[string]int)
	for sc.Scan() {
		m[sc.Text()]++
	}
	return m
}

func until(xs []int) map[int]bool {
	m := make(map[int]bool)
	for _, x := range xs {
		if x == 0 {
			break
		}
		m[x] = true
	}
	return m
}
