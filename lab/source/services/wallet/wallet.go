package wallet

import (
	"errors"
	"sync"
)

var ErrFunds = errors.New("insufficient funds")

type Wallet struct {
	mu       sync.Mutex
	balances map[string]int64
}

func (w *Wallet) Transfer(from, to string, amount int64) error {
	w.mu.Lock() // warn lock-not-released
	if amount <= 0 {
		w.mu.Unlock()
		return errors.New("bad amount")
	}
	src, ok := w.balances[from]
	if !ok {
		w.mu.Unlock()
		return errors.New("no such account")
	}
	if src < amount {
		return ErrFunds
	}
	w.balances[from] = src - amount // hint map-only-grows
	w.balances[to] += amount
	w.mu.Unlock()
	return nil
}
