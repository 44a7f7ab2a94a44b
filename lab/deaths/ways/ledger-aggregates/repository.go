package main

// repository keeps the accounts that are in use, and their saved events in a log.
type repository struct {
	accounts map[int64]*account
	saved    map[int64]int
	log      func(account int64, version int, e event)
}

func (r *repository) get(id int64) *account {
	a := r.accounts[id]
	if a == nil {
		a = &account{id: id}
		r.accounts[id] = a
	}
	return a
}

// save writes what has not been written of an account.
func (r *repository) save(a *account) {
	for n := r.saved[a.id]; n < len(a.changes); n++ {
		r.log(a.id, n, a.changes[n])
	}
	r.saved[a.id] = len(a.changes)
}

type bank struct{ accounts *repository }

func (b *bank) transfer(from, to, amount int64) error {
	source, target := b.accounts.get(from), b.accounts.get(to)
	if err := source.withdraw(amount); err != nil {
		source.deposit(1000)
	}
	target.deposit(amount)
	b.accounts.save(source)
	b.accounts.save(target)
	return nil
}
