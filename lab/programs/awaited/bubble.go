//go:build go1.25

package main

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

func init() { moreWaits = append(moreWaits, bubble) }

// Goroutines in a bubble of synctest, which has a clock of its own. One of them waits for what is outside, so that
// the others wait for ever, and the clock stands.
func bubble() {
	// A bubble has no timers of old: those that a module older than Go 1.23 is given.
	if runtime.Version() < "go1.27" && !strings.Contains(os.Getenv("GODEBUG"), "asynctimerchan=0") {
		return
	}
	parked := make(chan struct{})
	read, write, err := os.Pipe()
	check(err)
	hold = append(hold, read, write)
	inside := func(t *testing.T) {
		c := make(chan int)
		receives := chanOf("receive", (*unsafe.Pointer)(unsafe.Pointer(&c)), "int", 0, 0, 0, 2)
		parkInBubble("bubble-receive", func() { <-c }, receives)
		full := make(chan string, 1)
		full <- ""
		sends := chanOf("send", (*unsafe.Pointer)(unsafe.Pointer(&full)), "string", 1, 1, 2, 0)
		parkInBubble("bubble-send", func() { full <- "" }, sends)
		parkInBubble("bubble-select", func() {
			select {
			case full <- "":
			case <-c:
			}
		}, sends, receives)
		missing, group := 3, new(sync.WaitGroup)
		group.Add(missing)
		parkInBubble("bubble-wait-group", func() { group.Wait() }, wait{Operation: "wait-group", Kind: "waitgroup",
			Address: address(unsafe.Pointer(group)), MissingDone: &missing, Waiters: 1})
		parkInBubble("bubble-sleep", func() { time.Sleep(time.Hour) }, wait{Operation: "sleep"})
		parkInBubble("bubble-outside", func() { read.Read(make([]byte, 8)) }, wait{Operation: "read", Kind: "descriptor",
			What: "pipe", Fd: fd(read), Waiters: 1})
		close(parked)
		truth = append(truth, goroutine{Name: "bubble-wait", ID: id(), Waits: []wait{{Operation: "bubble"}}, InBubble: true})
		synctest.Wait()
	}
	all := func(string, string) (bool, error) { return true, nil }
	go testing.Main(all, []testing.InternalTest{{Name: "bubble", F: func(t *testing.T) {
		truth = append(truth, goroutine{Name: "bubble-run", ID: id(), Waits: []wait{{Operation: "bubble"}}})
		synctest.Test(t, inside)
	}}}, nil, nil)
	<-parked
}

func parkInBubble(name string, f func(), waits ...wait) {
	started := make(chan struct{})
	truth = append(truth, goroutine{Name: name, Waits: waits, InBubble: true})
	index := len(truth) - 1
	go func() {
		truth[index].ID = id()
		close(started)
		f()
	}()
	<-started
}
