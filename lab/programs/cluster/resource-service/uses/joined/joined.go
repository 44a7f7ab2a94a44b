// Package joined is a key of the configuration that every request writes out as one text.
package joined

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"lastgasp.example/lab/cluster/resource-service/serve"
)

var cache struct {
	sync.RWMutex
	avids []string
}

// Load takes a new configuration in.
func Load(payload []byte) (int, error) {
	ids, err := serve.Items(payload)
	if err != nil {
		return 0, err
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	cache.Lock()
	cache.avids = texts
	cache.Unlock()
	return len(ids), nil
}

// Handle answers a request.
func Handle(w http.ResponseWriter, r *http.Request, work *serve.Work) {
	cache.RLock()
	ids := cache.avids
	cache.RUnlock()
	page := renderAvids(ids)
	if err := work.Call(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
		return
	}
	found := 0
	for _, aid := range serve.Aids(r) {
		if strings.Contains(page, strconv.FormatInt(aid, 10)) {
			found++
		}
	}
	work.Answer(w, found)
}

// renderAvids writes all ids into one text.
func renderAvids(ids []string) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString("<li data-aid=\"")
		b.WriteString(id)
		b.WriteString("\">")
	}
	return b.String()
}
