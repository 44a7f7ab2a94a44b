// Package copied is a key of the configuration of which every request takes a sorted copy that it ranks.
package copied

import (
	"net/http"
	"sort"
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
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	cache.Lock()
	cache.avids = ids
	cache.Unlock()
	return len(ids), nil
}

type ranked struct {
	avid  int64
	score float64
	place int32
}

// Handle answers a request.
func Handle(w http.ResponseWriter, r *http.Request, work *serve.Work) {
	cache.RLock()
	ids := cache.avids
	cache.RUnlock()
	candidates := rankAvids(ids, len(r.URL.RawQuery))
	if err := work.Call(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
		return
	}
	found := 0
	for _, c := range candidates {
		if c.score > 9 {
			found++
		}
	}
	work.Answer(w, found)
}

// rankAvids gives every id a score, for this request alone.
func rankAvids(ids []int64, salt int) []ranked {
	out := make([]ranked, len(ids))
	for i, id := range ids {
		out[i] = ranked{avid: id, score: float64(id%1000) / float64(salt+1), place: int32(i)}
	}
	return out
}
