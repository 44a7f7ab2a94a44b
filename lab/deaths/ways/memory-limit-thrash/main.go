// GOMEMLIMIT=90MiB and a table of sessions that only grows: beyond 90 MB the collector runs without a pause and frees
// nothing, until the group's 200 MB are used up too.
package main

import (
	"fmt"
	"time"

	_ "example.com/ways/internal/profiled"
)

type session struct {
	user  string
	seen  [40]int64
	flags map[string]bool
}

type sessions struct{ byToken map[string]*session }

//go:noinline
func (s *sessions) begin(n int) *session {
	x := &session{user: fmt.Sprint("user-", n), flags: map[string]bool{"new": true}}
	s.byToken[fmt.Sprintf("%032x", n)] = x
	return x
}

func main() {
	s := &sessions{byToken: map[string]*session{}}
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for n < int(time.Since(began).Seconds()*60_000) {
			s.begin(n)
			n++
		}
	}
}
