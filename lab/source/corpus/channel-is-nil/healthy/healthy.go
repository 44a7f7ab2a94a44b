// What `channel-is-nil` must not find.
package healthy

import (
	"fmt"
)

func wait() {
	done := make(chan struct{})
	go close(done)
	<-done
}

func later(n int) {
	var out chan int
	if n > 0 {
		out = make(chan int, 1)
	}
	out <- n
}

func disabled(in chan int) {
	var off chan int
	select { // want select-no-way-out
	case <-off:
	case v := <-in:
		fmt.Println(v)
	}
}

type server struct{ quit chan bool }

func newServer() *server { return &server{quit: make(chan bool)} }

func (s *server) wait() { <-s.quit }

type lazy struct{ c chan int }

func (l *lazy) open()    { l.c = make(chan int) }
func (l *lazy) get() int { return <-l.c }

func filled(fill func(*chan int)) {
	var c chan int
	fill(&c)
	<-c
}
