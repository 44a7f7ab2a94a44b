// Command too-many starts goroutines without a bound: each waits for something that comes, and there are ever more.
package main

import (
	"time"

	"example.com/causes/internal/plant"
)

type hook struct {
	url  string
	body [200]byte
}

type notifier struct{ slots chan struct{} }

func (n *notifier) call(h *hook) {
	n.slots <- struct{}{}
	defer func() { <-n.slots }()
	time.Sleep(time.Hour)
}

// hooks starts a goroutine for each event; four at a time are called.
func hooks(fixed bool) {
	n := &notifier{make(chan struct{}, 4)}
	some := 20000
	if fixed {
		some = 40
	}
	for i := 0; i < some; i++ {
		go n.call(&hook{url: "http://hooks"})
	}
	plant.Fact("hooks", "count", some)
	plant.AtEnd(func() { <-n.slots })
}

func main() {
	plant.Main(plant.Shape{Name: "hooks", Run: hooks})
}
