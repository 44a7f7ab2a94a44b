// Package rebuild is a key of the configuration with the bug of the incident: the set of its ids is the same
// for every request, and yet each request makes its own and holds it while it waits.
package rebuild

import (
	"net/http"
	"sync"

	"lastgasp.example/lab/cluster/resource-service/serve"
)

var cache struct {
	sync.RWMutex
	avids []int64
}

// Load takes a new configuration in.
func Load(payload []byte) (int, error) {
	ids, err := serve.Items(payload)
	if err != nil {
		return 0, err
	}
	cache.Lock()
	cache.avids = ids
	cache.Unlock()
	return len(ids), nil
}

// Handle answers a request.
func Handle(w http.ResponseWriter, r *http.Request, work *serve.Work) {
	aids := serve.Aids(r)
	cache.RLock()
	ids := cache.avids
	cache.RUnlock()
	avidMap := buildAvidMap(ids)
	if err := work.Call(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
		return
	}
	found := 0
	for _, aid := range aids {
		if _, ok := avidMap[aid]; ok {
			found++
		}
	}
	work.Answer(w, found)
}

// buildAvidMap turns the list of ids into a set. Without a size hint the map grows step by step, and each
// step leaves the previous one as garbage.
func buildAvidMap(ids []int64) map[int64]struct{} {
	m := make(map[int64]struct{})
	for _, id := range ids {
		m[id] = struct{}{}
	}
	return m
}
