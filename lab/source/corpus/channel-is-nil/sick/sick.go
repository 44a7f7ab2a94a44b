// What `channel-is-nil` must find.
package sick

import (
	"fmt"
)

func wait() {
	var done chan struct{}
	go fmt.Println("x")
	<-done // want channel-is-nil
}

func send(v int) {
	var out chan int
	out <- v // want channel-is-nil
}

func loop() {
	var jobs chan int
	for j := range jobs { // want channel-is-nil
		fmt.Println(j)
	}
}

type server struct {
	quit chan bool
	n    int
}

func newServer() *server { return &server{n: 1} }

func (s *server) wait() {
	<-s.quit // want channel-is-nil
}

func (s *server) stop() {
	s.quit <- true // want channel-is-nil
}

func shut() {
	var c chan int
	close(c) // want channel-is-nil
}
