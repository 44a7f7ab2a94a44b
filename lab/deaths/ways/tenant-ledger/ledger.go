package main

import (
	"errors"
	"sync"
)

var errQuota = errors.New("quota used up")

type account struct {
	sync.Mutex
	tenant  string
	used    int
	quota   int
	entries [64]entry
}

type entry struct {
	subject string
	amount  int
}

type ledger struct {
	mu       sync.Mutex
	accounts map[string]*account
}

func (l *ledger) account(tenant string) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[tenant]
	if a == nil {
		a = &account{tenant: tenant, quota: 12_000}
		l.accounts[tenant] = a
	}
	return a
}

func (l *ledger) renew(tenant string) {
	a := l.account(tenant)
	a.Lock()
	a.used = 0
	a.Unlock()
}

// book is to be called for each line of an invoice.
func (a *account) book(e entry) error {
	a.Lock()
	if a.used+e.amount > a.quota {
		return errQuota
	}
	a.used += e.amount
	a.entries[a.used%len(a.entries)] = e
	a.Unlock()
	return nil
}
