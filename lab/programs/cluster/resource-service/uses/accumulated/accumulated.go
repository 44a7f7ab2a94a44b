// Package accumulated is a key of the configuration whose old versions are never let go: each one that comes
// is kept beside those before it.
package accumulated

import (
	"net/http"
	"sync"

	"lastgasp.example/lab/cluster/resource-service/serve"
)

type revision struct {
	avids map[int64]string
}

var cache struct {
	sync.RWMutex
	revisions []*revision
}

// Load takes a new configuration in.
func Load(payload []byte) (int, error) {
	ids, err := serve.Items(payload)
	if err != nil {
		return 0, err
	}
	next := indexAvids(ids)
	cache.Lock()
	cache.revisions = append(cache.revisions, next)
	cache.Unlock()
	return len(ids), nil
}

// indexAvids makes one more index of all ids.
func indexAvids(ids []int64) *revision {
	r := &revision{avids: make(map[int64]string, len(ids))}
	for _, id := range ids {
		r.avids[id] = "video"
	}
	return r
}

// Handle answers a request.
func Handle(w http.ResponseWriter, r *http.Request, work *serve.Work) {
	found := 0
	cache.RLock()
	if n := len(cache.revisions); n > 0 {
		for _, aid := range serve.Aids(r) {
			if _, ok := cache.revisions[n-1].avids[aid]; ok {
				found++
			}
		}
	}
	cache.RUnlock()
	if err := work.Call(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
		return
	}
	work.Answer(w, found)
}
