package main

import (
	"context"
	"reflect"
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

func channels() {
	idiom("pool-of-a-variable", 1000, poolOfVariable)
	idiom("pool", 2000, pool)
	idiom("semaphore", 1000, semaphore)
	idiom("pipeline", 600, pipeline)
	idiom("hub", 500, hub)
	idiom("request-and-reply", 300, requestReply)
	idiom("context-tree", 1000, contextTree)
	idiom("context-value", 100, contextValue)
	idiom("reflect-select", 100, reflectSelect)
	idiom("actor", 500, actor)
	idiom("nil-case", 200, nilCase)
	idiom("generator", 500, generator)
	idiom("ping-pong", 200, pingPong)
	idiom("future", 500, future)
}

var jobs = make(chan func(), 10)

// poolOfVariable is reached by a package variable alone: whoever runs may come by.
func poolOfVariable(name string, n int) {
	wait(name, n, func(int) {
		for j := range jobs {
			j()
		}
	})
}

func pool(name string, n int) {
	for i := 0; i < 10; i++ {
		in := make(chan func())
		wait(name, n/10, func(int) {
			for j := range in {
				j()
			}
		})
		plant.AtEnd(func() { close(in) })
	}
}

func semaphore(name string, n int) {
	sem := make(chan struct{}, 10)
	wait(name, n, func(int) {
		sem <- struct{}{}
		defer func() { <-sem }()
		time.Sleep(time.Hour)
	})
}

func pipeline(name string, n int) {
	for i := 0; i < n/3; i++ {
		in, mid, out := make(chan int), make(chan int), make(chan int)
		wait(name, 1, func(int) {
			defer close(mid)
			for v := range in {
				mid <- v * v
			}
		})
		wait(name, 1, func(int) {
			defer close(out)
			for v := range mid {
				out <- -v
			}
		})
		wait(name, 1, func(int) {
			for range out {
			}
		})
		time.AfterFunc(time.Hour, func() { close(in) })
	}
}

type topics struct {
	mu   sync.RWMutex
	subs map[string]map[int]chan interface{}
}

func hub(name string, n int) {
	t := &topics{subs: map[string]map[int]chan interface{}{}}
	names := []string{"a", "b", "c", "d", "e"}
	wait(name, n, func(i int) {
		c := make(chan interface{})
		t.mu.Lock()
		if t.subs[names[i%5]] == nil {
			t.subs[names[i%5]] = map[int]chan interface{}{}
		}
		t.subs[names[i%5]][i] = c
		t.mu.Unlock()
		for range c {
		}
	})
	plant.AtEnd(func() {
		t.mu.RLock()
		defer t.mu.RUnlock()
		for _, of := range t.subs {
			for _, c := range of {
				close(c)
			}
		}
	})
}

type request struct{ reply chan int }

func requestReply(name string, n int) {
	to := make(chan request, n)
	wait(name, n-1, func(int) {
		r := request{make(chan int)}
		to <- r
		<-r.reply
	})
	wait(name, 1, func(int) {
		time.Sleep(time.Hour)
		for r := range to {
			r.reply <- 1
		}
	})
}

func contextTree(name string, n int) {
	root, cancel := context.WithCancel(context.Background())
	plant.AtEnd(cancel)
	for i := 0; i < 10; i++ {
		branch, cancel := context.WithCancel(root)
		_ = cancel
		wait(name, n/10, func(int) {
			leaf, cancel := context.WithCancel(context.WithValue(branch, request{}, 1))
			defer cancel()
			<-leaf.Done()
		})
	}
}

type key struct{}

func contextValue(name string, n int) {
	for i := 0; i < n; i++ {
		done := make(chan struct{})
		ctx := context.WithValue(context.Background(), key{}, done)
		wait(name, 1, func(int) { <-done })
		plant.AtEnd(func() { close(ctx.Value(key{}).(chan struct{})) })
	}
}

func reflectSelect(name string, n int) {
	for i := 0; i < n; i++ {
		chans := []chan int{make(chan int), make(chan int), make(chan int)}
		wait(name, 1, func(int) {
			var cases []reflect.SelectCase
			for _, c := range chans {
				cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)})
			}
			reflect.Select(cases)
		})
		last := chans[2]
		plant.Later(func() { close(last) })
	}
}

type actorOf struct {
	inbox chan func()
	quit  chan struct{}
}

func (a *actorOf) run() {
	for {
		select {
		case f := <-a.inbox:
			f()
		case <-a.quit:
			return
		}
	}
}

func actor(name string, n int) {
	var all []*actorOf
	for i := 0; i < n; i++ {
		a := &actorOf{make(chan func()), make(chan struct{})}
		all = append(all, a)
		wait(name, 1, func(int) { a.run() })
	}
	plant.AtEnd(func() {
		for _, a := range all {
			close(a.quit)
		}
	})
}

// nilCase switches cases off by nil channels.
func nilCase(name string, n int) {
	for i := 0; i < n; i++ {
		in := make(chan int)
		var out chan int
		wait(name, 1, func(int) {
			select {
			case <-in:
			case out <- 1:
			}
		})
		plant.Later(func() { close(in) })
	}
}

func generator(name string, n int) {
	for i := 0; i < n; i++ {
		ids := make(chan uint64)
		wait(name, 1, func(int) {
			for id := uint64(0); ; id++ {
				ids <- id
			}
		})
		plant.AtEnd(func() { <-ids })
	}
}

func pingPong(name string, n int) {
	for i := 0; i < n/2; i++ {
		a, b := make(chan int), make(chan int)
		wait(name, 1, func(int) {
			time.Sleep(time.Hour)
			for {
				a <- 1
				<-b
			}
		})
		wait(name, 1, func(int) {
			for {
				b <- <-a
			}
		})
	}
}

type promise struct {
	done  chan struct{}
	value string
}

func future(name string, n int) {
	for i := 0; i < n/5; i++ {
		p := &promise{done: make(chan struct{})}
		wait(name, 1, func(int) {
			time.Sleep(time.Hour)
			p.value = "x"
			close(p.done)
		})
		wait(name, 4, func(int) { <-p.done })
	}
}
