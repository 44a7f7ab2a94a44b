package main

import (
	"crypto/sha256"
	"encoding/binary"
	"sort"
)

type transaction struct {
	at, amount int64
	partner    [32]byte
	balance    int64
}

func transactions(account, n int) []transaction {
	all := make([]transaction, n)
	for i := range all {
		all[i] = transaction{at: int64((i*7919 + account) % n), amount: int64(i % 400)}
	}
	return all
}

// sign hashes a statement as often as the key's strength asks for.
func sign(all []transaction, rounds int) (sum [32]byte) {
	var line [48]byte
	for r := 0; r < rounds; r++ {
		for _, t := range all {
			binary.BigEndian.PutUint64(line[:], uint64(t.balance))
			copy(line[8:], sum[:])
			sum = sha256.Sum256(line[:])
		}
	}
	return sum
}

func statement(account, n int) [32]byte {
	all := transactions(account, n)
	sort.Slice(all, func(i, j int) bool { return all[i].at < all[j].at })
	balance := int64(0)
	for i := range all {
		balance += all[i].amount
		all[i].balance = balance
	}
	return sign(all, 60)
}
