// What `lock-not-released` must find.
package sick

import (
	"errors"
	"fmt"
	"sync"
)

type account struct {
	mu      sync.Mutex
	rw      sync.RWMutex
	balance int
}

func (a *account) withdraw(n int) error {
	a.mu.Lock() // want lock-not-released
	if a.balance < n {
		return errors.New("too little")
	}
	a.balance -= n
	a.mu.Unlock()
	return nil
}

func (a *account) peek(ok func() bool) int {
	a.rw.RLock() // want lock-not-released
	if !ok() { // want lock-held-across-wait
		return 0
	}
	n := a.balance
	a.rw.RUnlock()
	return n
}

var mu sync.Mutex

func visit(keys []string, m map[string]int) int {
	for _, k := range keys {
		mu.Lock() // want lock-not-released
		if v, ok := m[k]; ok {
			return v
		}
		mu.Unlock()
	}
	return 0
}

func forgot(m map[string]int) {
	var l sync.Mutex
	l.Lock() // want lock-not-released
	m["x"]++
}

func (a *account) apply(kind string) error {
	a.mu.Lock() // want lock-not-released
	switch kind {
	case "add":
		a.balance++
	case "reset":
		a.balance = 0
		a.mu.Unlock()
		return nil
	default:
		return fmt.Errorf("unknown %s", kind)
	}
	a.mu.Unlock()
	return nil
}

func background(a *account, in <-chan int) {
	go func() {
		for n := range in {
			a.mu.Lock() // want lock-not-released
			if n < 0 {
				return
			}
			a.balance += n
			a.mu.Unlock()
		}
	}()
}
