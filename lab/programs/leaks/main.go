// Goroutines that are started at a rate: each has a result that nobody receives any more, as of a call whose
// caller has left; or, with -healthy, they wait for one moment, all of them are let go at it, and the next
// ones come. Of the numbers alone both look the same until that moment.
package main

import (
	"flag"
	"time"
)

// caller asks and leaves before there is an answer.
func caller(hold int) {
	answers := make(chan []byte)
	go answer(answers, hold)
	select {
	case <-answers:
	default:
	}
}

func answer(answers chan<- []byte, hold int) {
	answers <- make([]byte, hold)
}

func guest(gate <-chan struct{}, hold int) {
	kept := make([]byte, hold)
	<-gate
	kept[0]++
}

func main() {
	rate := flag.Int("rate", 200, "goroutines a second")
	hold := flag.Int("hold", 1024, "bytes that each holds")
	healthy := flag.Bool("healthy", false, "let all of them go now and then")
	stay := flag.Duration("stay", 40*time.Second, "how long the first of them waits then")
	flag.Parse()
	const tick = 20 * time.Millisecond
	each := *rate * int(tick/time.Millisecond) / 1000
	gate, opens := make(chan struct{}), time.Now().Add(*stay)
	for range time.Tick(tick) {
		for i := 0; i < each; i++ {
			if *healthy {
				go guest(gate, *hold)
			} else {
				caller(*hold)
			}
		}
		if *healthy && time.Now().After(opens) {
			close(gate)
			gate, opens = make(chan struct{}), time.Now().Add(*stay)
		}
	}
}
