// The audit trail of a run is written to a builder, to be stored when the run has ended. This run does not end.
package main

import (
	"fmt"
	"strings"
	"time"

	_ "example.com/ways/internal/profiled"
)

type audit struct {
	run   string
	trail strings.Builder
}

func (a *audit) note(step int, what string) {
	fmt.Fprintf(&a.trail, "%s step=%d %s\n", a.run, step, what)
}

func (a *audit) store() int {
	n := a.trail.Len()
	a.trail.Reset()
	return n
}

func migrate(a *audit, step int) {
	a.note(step, strings.Repeat("moved ", 120))
}

func main() {
	a := &audit{run: "short"}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		for i := 0; i < 100; i++ {
			migrate(a, i)
		}
		a.store()
	}
	a = &audit{run: "endless"}
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*60000); n++ {
			migrate(a, n)
		}
	}
}
