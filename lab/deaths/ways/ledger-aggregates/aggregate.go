package main

import "errors"

type event interface{ kind() string }

type deposited struct {
	account, amount int64
	reference       [60]int64
}

type withdrawn struct {
	account, amount int64
	reason          string
	reference       [60]int64
}

func (deposited) kind() string  { return "deposited" }
func (*withdrawn) kind() string { return "withdrawn" }

var errFunds = errors.New("not enough on the account")

// account is rebuilt from its events, and gathers new ones until they are saved.
type account struct {
	id, balance int64
	version     int
	changes     []event
}

func (a *account) apply(e event) {
	switch e := e.(type) {
	case deposited:
		a.balance += e.amount
	case *withdrawn:
		a.balance -= e.amount
	}
	a.version++
}

func (a *account) raise(e event) {
	a.apply(e)
	a.changes = append(a.changes, e)
}

func (a *account) deposit(amount int64) {
	a.raise(deposited{account: a.id, amount: amount})
}

func (a *account) withdraw(amount int64) error {
	if amount > a.balance {
		return errFunds
	}
	a.raise(&withdrawn{account: a.id, amount: amount, reason: "card"})
	return nil
}
