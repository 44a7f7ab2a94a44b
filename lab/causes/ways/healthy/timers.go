package main

import (
	"context"
	"time"

	"example.com/causes/internal/plant"
)

func timers() {
	idiom("sleep", 2000, func(name string, n int) { wait(name, n, func(int) { time.Sleep(time.Hour) }) })
	idiom("after", 1000, func(name string, n int) { wait(name, n, func(int) { <-time.After(time.Hour) }) })
	idiom("after-func", 1000, afterFunc)
	idiom("ticker", 300, ticker)
	idiom("timeout", 1000, timeout)
	idiom("deadline", 600, deadline)
	idiom("reset", 200, reset)
	idiom("watchdog", 200, watchdog)
}

func afterFunc(name string, n int) {
	for i := 0; i < n; i++ {
		c := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(c) })
		wait(name, 1, func(int) { <-c })
	}
}

func ticker(name string, n int) {
	done := make(chan struct{})
	plant.AtEnd(func() { close(done) })
	wait(name, n, func(int) {
		t := time.NewTicker(time.Hour)
		defer t.Stop()
		for {
			select {
			case <-t.C:
			case <-done:
				return
			}
		}
	})
}

func timeout(name string, n int) {
	wait(name, n, func(int) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		<-ctx.Done()
	})
}

func deadline(name string, n int) {
	wait(name, n, func(int) {
		ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(time.Hour))
		defer cancel()
		select {
		case <-ctx.Done():
		case <-make(chan int):
		}
	})
}

// reset has timers that are stopped, and that the main function starts again.
func reset(name string, n int) {
	for i := 0; i < n; i++ {
		t := time.NewTimer(time.Hour)
		t.Stop()
		wait(name, 1, func(int) { <-t.C })
		plant.AtEnd(func() { t.Reset(0) })
	}
}

// watchdog is fed through a channel by somebody who sleeps.
func watchdog(name string, n int) {
	for i := 0; i < n/2; i++ {
		feed := make(chan struct{})
		wait(name, 1, func(int) {
			t := time.NewTimer(time.Hour)
			for {
				select {
				case <-feed:
					t.Reset(time.Hour)
				case <-t.C:
					return
				}
			}
		})
		wait(name, 1, func(int) {
			time.Sleep(time.Hour)
			close(feed)
		})
	}
}
