// The statements of all accounts, each night.
package main

import (
	"time"

	"example.com/ways/nightly-statements/group"

	_ "example.com/ways/internal/profiled"
)

type bank struct{ signed map[int]int }

func (b *bank) night(accounts, transactions int) error {
	var g group.Group
	for a := 0; a < accounts; a++ {
		account := a
		g.Go(func() error {
			statement(account, transactions)
			return nil
		})
	}
	return g.Wait()
}

func main() {
	b := &bank{}
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		b.night(1, 600)
	}
	for {
		b.night(4000, 9000)
	}
}
