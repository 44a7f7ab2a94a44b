// What `make-without-size` must find.
package sick

import (
	"fmt"
	"net/http"
)

func set(ids []int64) map[int64]bool {
	m := make(map[int64]bool) // want make-without-size
	for _, id := range ids {
		m[id] = true
	}
	return m
}

func double(xs []int) []int {
	out := make([]int, 0) // want make-without-size
	for _, x := range xs {
		out = append(out, 2*x)
	}
	return out
}

func keys(m map[string]int) []string {
	names := make([]string, 0) // want make-without-size
	for k := range m {
		names = append(names, k)
	}
	return names
}

func squares(n int) map[int]int {
	m := make(map[int]int) // want make-without-size
	for i := 0; i < n; i++ {
		m[i] = i * i
	}
	return m
}

type user struct {
	id   int
	name string
}

func index(users []user) map[int]user {
	byID := make(map[int]user) // want make-without-size
	for i := range users {
		u := users[i]
		byID[u.id] = u
	}
	return byID
}

func show(w http.ResponseWriter, r *http.Request) {
	ids := r.URL.Query()["id"]
	seen := make(map[string]struct{}) // want make-without-size
	for i := 0; i < len(ids); i++ {
		seen[ids[i]] = struct{}{}
	}
	fmt.Fprintln(w, len(seen))
}
