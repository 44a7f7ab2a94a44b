package bank

import "sync"

type Account struct {
	mu  sync.Mutex
	sum int
}

type Audit struct {
	mu  sync.Mutex
	log []string
}

type Bank struct {
	accounts Account
	audit    Audit
}

func (b *Bank) Deposit(n int) {
	b.accounts.mu.Lock()
	defer b.accounts.mu.Unlock()
	b.accounts.sum += n
	b.audit.mu.Lock()                            // warn lock-order
	b.audit.log = append(b.audit.log, "deposit") // miss append-never-cleared
	b.audit.mu.Unlock()
}

func (b *Bank) Report() int {
	b.audit.mu.Lock()
	defer b.audit.mu.Unlock()
	b.accounts.mu.Lock()
	defer b.accounts.mu.Unlock()
	return b.accounts.sum + len(b.audit.log)
}
