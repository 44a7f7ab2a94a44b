// Package kept is a key of the configuration as it should be used: its set is made once, and shared.
package kept

import (
	"net/http"
	"sync/atomic"

	"lastgasp.example/lab/cluster/resource-service/serve"
)

var cache atomic.Pointer[map[int64]struct{}]

// Load takes a new configuration in.
func Load(payload []byte) (int, error) {
	ids, err := serve.Items(payload)
	if err != nil {
		return 0, err
	}
	avids := make(map[int64]struct{}, len(ids))
	for _, id := range ids {
		avids[id] = struct{}{}
	}
	cache.Store(&avids)
	return len(ids), nil
}

// Handle answers a request.
func Handle(w http.ResponseWriter, r *http.Request, work *serve.Work) {
	found := 0
	if avids := cache.Load(); avids != nil {
		for _, aid := range serve.Aids(r) {
			if _, ok := (*avids)[aid]; ok {
				found++
			}
		}
	}
	if err := work.Call(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
		return
	}
	work.Answer(w, found)
}
