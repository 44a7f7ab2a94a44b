// Package resource is a service that answers from a configuration which all requests share.
package resource

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// Tab is one tab of the configuration.
type Tab struct {
	ID    int64
	Name  string
	Avids []int64
}

// Config is what the admin platform publishes.
type Config struct {
	Tabs   []*Tab
	Black  map[int64]string
	Raw    []byte
	Loaded time.Time
}

// Dao reads the configuration every few seconds.
type Dao struct {
	conf atomic.Pointer[Config]
}

// Conf is the last configuration.
func (d *Dao) Conf() *Config { return d.conf.Load() }

// Service answers.
type Service struct {
	dao   *Dao
	tabs  atomic.Value // []*Tab
	mu    sync.RWMutex
	black map[int64]string
	index map[int64]struct{}
}

// Register hands the handlers to the router.
func (s *Service) Register(e *gin.Engine) {
	g := e.Group("/x/resource")
	g.GET("/ugctab", s.ugcTab)
	g.GET("/ugctab2", s.ugcTabIndexed)
	g.GET("/black", s.blackList)
	g.GET("/names", s.names)
	g.GET("/one", s.oneTab)
	g.POST("/echo", s.echo)
	g.GET("/export", wrap(s.export))
}

func wrap(f func(context.Context, *http.Request) (any, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		v, err := f(c, c.Request)
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.JSON(http.StatusOK, v)
	}
}

// The incident: each request makes a map of all ids.
func (s *Service) ugcTab(c *gin.Context) {
	id, _ := strconv.ParseInt(c.Query("avid"), 10, 64)
	tab := s.tabOf(id)
	c.JSON(http.StatusOK, tab)
}

func (s *Service) tabOf(id int64) *Tab {
	for _, tab := range s.dao.Conf().Tabs { // want config-length-loop
		set := toSet(tab.Avids)
		if _, ok := set[id]; ok {
			return tab
		}
	}
	return nil
}

func toSet(ids []int64) map[int64]struct{} {
	m := make(map[int64]struct{}) // want make-without-size
	for _, id := range ids {
		m[id] = struct{}{} // want rebuilt-per-request
	}
	return m
}

// The repair: the index is built when the configuration is loaded.
func (s *Service) ugcTabIndexed(c *gin.Context) {
	id, _ := strconv.ParseInt(c.Query("avid"), 10, 64)
	s.mu.RLock()
	_, ok := s.index[id]
	s.mu.RUnlock()
	c.JSON(http.StatusOK, ok)
}

func (s *Service) reload(ctx context.Context) {
	t := time.NewTicker(5 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			conf := s.dao.Conf()
			index := make(map[int64]struct{}, len(conf.Tabs))
			for _, tab := range conf.Tabs {
				for _, id := range tab.Avids {
					index[id] = struct{}{}
				}
			}
			s.mu.Lock()
			s.index = index
			s.mu.Unlock()
		}
	}
}

// A copy of a shared map under the lock, for each request.
func (s *Service) blackList(c *gin.Context) {
	s.mu.RLock()
	out := make(map[int64]string, len(s.black))
	for k, v := range s.black {
		out[k] = v // want rebuilt-per-request
	}
	s.mu.RUnlock()
	c.JSON(http.StatusOK, out)
}

// A list from an atomic value.
func (s *Service) names(c *gin.Context) {
	tabs, _ := s.tabs.Load().([]*Tab)
	var names []string
	for _, t := range tabs {
		names = append(names, t.Name) // want rebuilt-per-request
	}
	c.JSON(http.StatusOK, strings.Join(names, ","))
}

// Healthy: what is made is as long as the request asks.
func (s *Service) oneTab(c *gin.Context) {
	ids := strings.Split(c.Query("ids"), ",")
	out := make(map[string]string, len(ids))
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, raw := range ids {
		id, err := strconv.ParseInt(raw, 10, 64)
		if err != nil {
			continue
		}
		out[raw] = s.black[id]
	}
	c.JSON(http.StatusOK, out)
}

// Healthy: what is made comes from the body.
func (s *Service) echo(c *gin.Context) {
	var in []Tab
	if err := c.ShouldBindJSON(&in); err != nil {
		c.Status(http.StatusBadRequest)
		return
	}
	by := make(map[int64]Tab, len(in))
	for _, t := range in {
		by[t.ID] = t
	}
	c.JSON(http.StatusOK, by)
}

// The configuration is decoded for each request.
func (s *Service) export(_ context.Context, r *http.Request) (any, error) {
	var all []Tab
	if err := json.Unmarshal(s.dao.Conf().Raw, &all); err != nil { // want rebuilt-per-request
		return nil, err
	}
	for _, t := range all {
		if t.Name == r.URL.Query().Get("name") {
			return t, nil
		}
	}
	return nil, nil
}
