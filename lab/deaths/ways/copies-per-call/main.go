// Every request builds a set of all blocked accounts anew, and works with it for a while: more requests come than
// two processors can answer, and each has a set of its own.
package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	_ "example.com/ways/internal/debugport"
	"example.com/ways/internal/visitors"
)

type account struct {
	id    int64
	score [4]int64
}

// store has the blocked accounts as the admin platform has published them.
type store struct{ blocked []int64 }

func setOf[K comparable, V any](keys []K, value func(K) V) map[K]V {
	set := make(map[K]V)
	for _, k := range keys {
		set[k] = value(k)
	}
	return set
}

type api struct{ store *store }

// blockedSet is the culprit: what it builds is the same for all requests.
//
//go:noinline
func (a *api) blockedSet() map[int64]account {
	return setOf(a.store.blocked, func(id int64) account { return account{id: id} })
}

func (a *api) recommend(w http.ResponseWriter, r *http.Request) {
	set := a.blockedSet()
	user, _ := strconv.ParseInt(r.URL.Query().Get("user"), 10, 64)
	best := int64(0)
	for began := time.Now(); time.Since(began) < 1500*time.Millisecond; {
		for i := int64(0); i < 1000; i++ {
			if s, ok := set[user*7919+i]; !ok && i > best {
				best = i + s.score[0]
			}
		}
	}
	fmt.Fprintln(w, best, len(set))
}

func main() {
	a := &api{store: &store{blocked: []int64{1, 2, 3}}}
	mux := http.NewServeMux()
	mux.HandleFunc("/recommend", a.recommend)
	addr := visitors.Serve(mux)
	time.Sleep(1300 * time.Millisecond)
	many := make([]int64, 200_000)
	for i := range many {
		many[i] = int64(i) * 31
	}
	a.store = &store{blocked: many}
	visitors.Call(addr, 30, func(i int) string { return fmt.Sprintf("/recommend?user=%d", i) })
}
