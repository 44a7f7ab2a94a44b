// A report asks its sources side by side and waits for all. One source returns early on an error and never says that
// it is done: the report waits for ever with what the others have brought.
package main

import (
	"errors"
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type row [8]int64

type report struct {
	rows [][]row
	wait sync.WaitGroup
}

var errNoSource = errors.New("no such source")

func open(source int) error {
	if source == 3 {
		return errNoSource
	}
	return nil
}

//go:noinline
func fetch(n int) []row {
	rows := make([]row, n)
	for i := range rows {
		rows[i][0] = int64(i)
	}
	return rows
}

func (r *report) collect(source int) {
	if err := open(source); err != nil {
		return
	}
	r.rows[source] = fetch(1500)
	r.wait.Done()
}

func build(sources int) int {
	r := &report{rows: make([][]row, sources)}
	r.wait.Add(sources)
	for s := 0; s < sources; s++ {
		go r.collect(s)
	}
	r.wait.Wait()
	return len(r.rows)
}

func main() {
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		build(3)
	}
	for {
		go build(4)
		time.Sleep(4 * time.Millisecond)
	}
}
