// Forty documents that people write together; each stroke is saved.
package main

import (
	"fmt"
	"strings"
	"time"

	_ "example.com/ways/internal/profiled"
)

// every does something so many times a second.
func every(perSecond float64, do func(n int)) {
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; float64(n) < time.Since(began).Seconds()*perSecond; n++ {
			do(n)
		}
	}
}

func main() {
	e := &editor{documents: &documents{latest: map[string]*revision{}}}
	for n := 0; n < 40; n++ {
		e.documents.write(fmt.Sprint("doc-", n), strings.Repeat("all work and no play ", 1400))
	}
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		e.replace("doc-1", "work", "play")
		e.documents.undo("doc-1")
	}
	every(700, func(n int) {
		e.replace(fmt.Sprint("doc-", n%40), "work", "play")
		e.replace(fmt.Sprint("doc-", n%40), "play", "work")
	})
}
