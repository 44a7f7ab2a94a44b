// Package group runs functions side by side and gives the first error of any.
package group

import "sync"

type Group struct {
	wait sync.WaitGroup
	once sync.Once
	err  error
}

func (g *Group) Go(do func() error) {
	g.wait.Add(1)
	go func() {
		defer g.wait.Done()
		if err := do(); err != nil {
			g.once.Do(func() { g.err = err })
		}
	}()
}

func (g *Group) Wait() error {
	g.wait.Wait()
	return g.err
}
