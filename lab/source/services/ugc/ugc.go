package ugc

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
)

type Tab struct {
	ID    int64
	Avids []int64
}

type Config struct{ Tabs []*Tab }

type Handler struct {
	conf atomic.Value // *Config
}

// Reload is called when operations publish a new configuration.
func (h *Handler) Reload(c *Config) { h.conf.Store(c) }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := h.conf.Load().(*Config)
	seen := make(map[int64]int64)
	for _, tab := range c.Tabs {
		for _, avid := range tab.Avids {
			seen[avid] = tab.ID // warn rebuilt-per-request
		}
	}
	var req struct{ Avid int64 }
	_ = json.NewDecoder(r.Body).Decode(&req)
	_ = json.NewEncoder(w).Encode(seen[req.Avid])
}
