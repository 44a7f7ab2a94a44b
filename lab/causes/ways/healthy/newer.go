//go:build go1.21

package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

func newer() {
	idiom("context-after-func", 100, contextAfterFunc)
	idiom("context-cause", 100, contextCause)
	idiom("once-value", 100, onceValue)
	newest()
	iterators()
}

func contextAfterFunc(name string, n int) {
	for i := 0; i < n; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		_ = cancel
		c := make(chan int)
		context.AfterFunc(ctx, func() { close(c) })
		wait(name, 1, func(int) { <-c })
	}
}

func contextCause(name string, n int) {
	for i := 0; i < n; i++ {
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(context.Background()))
		wait(name, 1, func(int) { <-ctx.Done() })
		plant.AtEnd(func() { cancel(errors.New("the end")) })
	}
}

func onceValue(name string, n int) {
	f := sync.OnceValue(func() int {
		time.Sleep(time.Hour)
		return 1
	})
	wait(name, n, func(int) { f() })
}
