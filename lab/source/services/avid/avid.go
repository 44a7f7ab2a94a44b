// Package avid answers which videos are in a table, in the ways in which that was written.
package avid

import (
	"context"
	"encoding/json"
	"net/http"
	"sort"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
)

var (
	tableMu sync.RWMutex
	table   []int64
	byID    map[int64]bool
)

// SetTable is called by whoever watches the configuration.
func SetTable(ids []int64) {
	m := make(map[int64]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	tableMu.Lock()
	table, byID = ids, m
	tableMu.Unlock()
}

// Has builds a set of all ids for one question.
func Has(w http.ResponseWriter, r *http.Request) {
	tableMu.RLock()
	ids := table
	tableMu.RUnlock()
	set := make(map[int64]struct{}, len(ids))
	for i := range ids {
		set[ids[i]] = struct{}{} // want rebuilt-per-request
	}
	_, ok := set[parse(r)]
	_ = json.NewEncoder(w).Encode(ok)
}

// HasIndexed asks the index: healthy.
func HasIndexed(w http.ResponseWriter, r *http.Request) {
	tableMu.RLock()
	ok := byID[parse(r)]
	tableMu.RUnlock()
	_ = json.NewEncoder(w).Encode(ok)
}

func parse(*http.Request) int64 { return 0 }

// Conf is the configuration of one table.
type Conf struct {
	Avids []int64
	Mids  []int64
	Text  string
}

// Cache is what the service keeps.
type Cache struct {
	mu   sync.RWMutex
	conf *Conf
	sets sync.Map
}

// Get is the configuration of now.
func (c *Cache) Get() *Conf {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.conf
}

// Service has the logic.
type Service struct{ cache *Cache }

// UgcTab is called by the handler of another package, for each request.
func (s *Service) UgcTab(ctx context.Context, avid, mid int64) (bool, error) {
	conf := s.cache.Get()
	avidMap := make(map[int64]int64) // want make-without-size
	for _, v := range conf.Avids {
		avidMap[v] = v // want rebuilt-per-request
	}
	if _, ok := avidMap[avid]; ok {
		return true, nil
	}
	return contains(conf.Mids, mid), nil
}

func contains(list []int64, x int64) bool {
	for _, v := range list { // want config-length-loop
		if v == x {
			return true
		}
	}
	return false
}

// Sorted copies and sorts all ids to look up one.
func (s *Service) Sorted(c *gin.Context) {
	conf := s.cache.Get()
	ids := append([]int64(nil), conf.Avids...) // want rebuilt-per-request
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	i := sort.Search(len(ids), func(i int) bool { return ids[i] >= 7 })
	c.JSON(http.StatusOK, i < len(ids) && ids[i] == 7)
}

// Words splits the whole text of the configuration for one word.
func (s *Service) Words(c *gin.Context) {
	words := strings.Split(s.cache.Get().Text, ",") // want rebuilt-per-request
	for _, w := range words {
		if w == c.Query("w") {
			c.Status(http.StatusOK)
			return
		}
	}
	c.Status(http.StatusNotFound)
}

// Once builds the set once for each table and keeps it: not rebuilt, and never let go.
func (s *Service) Once(c *gin.Context) {
	conf := s.cache.Get()
	v, ok := s.cache.sets.Load(conf)
	if !ok {
		set := make(map[int64]struct{}, len(conf.Avids))
		for _, id := range conf.Avids {
			set[id] = struct{}{}
		}
		s.cache.sets.Store(conf, set) // want map-only-grows // each old configuration stays
		v = set
	}
	_, has := v.(map[int64]struct{})[7]
	c.JSON(http.StatusOK, has)
}

// Page takes a part of the shared list, as long as a page: healthy.
func (s *Service) Page(c *gin.Context) {
	conf := s.cache.Get()
	const size = 20
	n := min(size, len(conf.Avids))
	out := make([]int64, 0, n)
	for _, id := range conf.Avids[:n] {
		out = append(out, id)
	}
	c.JSON(http.StatusOK, out)
}
