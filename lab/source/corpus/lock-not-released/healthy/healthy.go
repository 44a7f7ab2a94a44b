// What `lock-not-released` must not find.
package healthy

import (
	"errors"
	"sync"
)

type account struct {
	mu      sync.Mutex
	rw      sync.RWMutex
	balance int
}

func (a *account) withdraw(n int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.balance < n {
		return errors.New("too little")
	}
	a.balance -= n
	return nil
}

func (a *account) each(n int) error {
	a.mu.Lock()
	if a.balance < n {
		a.mu.Unlock()
		return errors.New("too little")
	}
	a.balance -= n
	a.mu.Unlock()
	return nil
}

func (a *account) Lock()   { a.mu.Lock() }
func (a *account) Unlock() { a.mu.Unlock() }

func (a *account) maybe(lock bool) int {
	if lock {
		a.mu.Lock()
	}
	n := a.balance
	if lock {
		a.mu.Unlock()
	}
	return n
}

func (a *account) closure() {
	a.mu.Lock()
	defer func() {
		a.balance++
		a.mu.Unlock()
	}()
	if a.balance > 3 {
		return
	}
	a.balance = 1
}

func (a *account) loop(keys []int) {
	for _, k := range keys {
		a.mu.Lock()
		if k == 0 {
			a.mu.Unlock()
			continue
		}
		a.balance += k
		a.mu.Unlock()
	}
}

func (a *account) hold() func() {
	a.mu.Lock()
	return a.mu.Unlock
}

func (a *account) die() {
	a.mu.Lock()
	if a.balance < 0 {
		panic("negative")
	}
	a.mu.Unlock()
}

func (a *account) begin() {
	a.rw.Lock()
}

func (a *account) finish() {
	a.balance = 0
	a.rw.Unlock()
}

// A literal with a name that unlocks, called on the way out.
func rejected(mu *sync.Mutex, closed bool) error {
	reject := func(err error) error {
		mu.Unlock()
		return err
	}
	mu.Lock()
	if closed {
		return reject(errors.New("closed"))
	}
	mu.Unlock()
	return nil
}
