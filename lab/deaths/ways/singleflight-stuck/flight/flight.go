// Package flight lets one call for a key do the work of all.
package flight

import "sync"

type call struct {
	wait  sync.WaitGroup
	value int
}

// Group knows the calls at work.
type Group struct {
	mu    sync.Mutex
	calls map[string]*call
}

// Do calls fn, or waits for the one who does.
func (g *Group) Do(key string, fn func() int) int {
	g.mu.Lock()
	if g.calls == nil {
		g.calls = map[string]*call{}
	}
	if c, ok := g.calls[key]; ok {
		g.mu.Unlock()
		c.wait.Wait()
		return c.value
	}
	c := &call{}
	c.wait.Add(1)
	g.calls[key] = c
	g.mu.Unlock()
	c.value = fn()
	c.wait.Done()
	g.mu.Lock()
	delete(g.calls, key)
	g.mu.Unlock()
	return c.value
}
