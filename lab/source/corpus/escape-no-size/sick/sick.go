// What `escape-no-size` must find.
package sick

import (
	"strings"
)

func a(xs []int) []int {
	var out []int
	for _, x := range xs {
		out = append(out, x) // want escape-no-size escape-append-growth
	}
	return out
}

func b(m map[string]int) []string {
	names := []string{}
	for k := range m {
		names = append(names, k) // want escape-no-size escape-append-growth
	}
	return names
}

func c(n int) []int {
	var out []int
	for i := 0; i < n; i++ {
		out = append(out, i) // want escape-no-size escape-append-growth
	}
	return out
}

type row struct{ id int }

func d(rows []row) []int {
	var ids []int
	for i := range rows {
		ids = append(ids, rows[i].id) // want escape-no-size escape-append-growth
	}
	return ids
}

func e(words []string) []string {
	var lower []string
	for i := 0; i < len(words); i++ {
		lower = append(lower, strings.ToLower(words[i])) // want escape-no-size escape-append-growth
	}
	return lower
}
