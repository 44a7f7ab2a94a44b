package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"example.com/causes/internal/plant"
)

// places are where what somebody waits for is held by who will wake him.
func places() {
	idiom("in-a-map", 200, inMap)
	idiom("in-an-interface", 100, inInterface)
	idiom("in-a-closure", 100, inClosure)
	idiom("in-an-unsafe-pointer", 100, inUnsafe)
	idiom("in-an-atomic-value", 100, inAtomicValue)
	idiom("in-an-atomic-pointer", 100, inAtomicPointer)
	idiom("in-a-sync-map", 200, inSyncMap)
	idiom("in-a-channel", 100, inChannel)
	idiom("in-a-deferred-call", 100, inDeferred)
	idiom("in-a-method-value", 100, inMethodValue)
	idiom("in-the-middle", 200, inTheMiddle)
	idiom("in-an-array", 64, inArray)
	idiom("in-a-system-call", 10, inSystemCall)
	idiom("in-a-register", 2, inRegister)
	idiom("in-a-finalizer", 100, inFinalizer)
	idiom("locked-to-a-thread", 10, lockedThread)
	idiom("in-a-goroutine-that-waits", 300, inOther)
	idiom("in-a-sync-pool", 50, inPool)
}

func inMap(name string, n int) {
	all := map[string]map[int]chan int{"x": {}}
	for i := 0; i < n; i++ {
		c := make(chan int)
		all["x"][i] = c
		wait(name, 1, func(int) { <-c })
	}
	plant.AtEnd(func() {
		for _, c := range all["x"] {
			close(c)
		}
	})
}

type closer interface{ end() }
type ending struct{ c chan int }

func (e ending) end() { close(e.c) }

func inInterface(name string, n int) {
	for i := 0; i < n; i++ {
		e := ending{make(chan int)}
		var c closer = e
		var any interface{} = c
		wait(name, 1, func(int) { <-e.c })
		plant.AtEnd(func() { any.(closer).end() })
	}
}

func inClosure(name string, n int) {
	for i := 0; i < n; i++ {
		c := make(chan int)
		end := func() { close(c) }
		twice := func() func() { return func() { end() } }()
		wait(name, 1, func(int) { <-c })
		plant.Later(twice)
	}
}

func inUnsafe(name string, n int) {
	for i := 0; i < n; i++ {
		c := new(chan int)
		*c = make(chan int)
		p := unsafe.Pointer(c)
		wait(name, 1, func(int) { <-*c })
		plant.AtEnd(func() { close(*(*chan int)(p)) })
	}
}

func inAtomicValue(name string, n int) {
	for i := 0; i < n; i++ {
		v := new(atomic.Value)
		v.Store(make(chan int))
		wait(name, 1, func(int) { <-v.Load().(chan int) })
		plant.AtEnd(func() { close(v.Load().(chan int)) })
	}
}

type box struct {
	_    [40]byte
	done chan int
}

func inAtomicPointer(name string, n int) {
	for i := 0; i < n; i++ {
		var p atomic.Pointer[box]
		p.Store(&box{done: make(chan int)})
		c := p.Load().done
		wait(name, 1, func(int) { <-c })
		plant.Later(func() { close(p.Load().done) })
	}
}

func inSyncMap(name string, n int) {
	var m sync.Map
	for i := 0; i < n; i++ {
		c := make(chan int)
		m.Store(i, c)
		wait(name, 1, func(int) { <-c })
	}
	plant.AtEnd(func() {
		m.Range(func(_, c interface{}) bool {
			close(c.(chan int))
			return true
		})
	})
}

func inChannel(name string, n int) {
	of := make(chan chan int, n)
	for i := 0; i < n; i++ {
		c := make(chan int)
		of <- c
		wait(name, 1, func(int) { <-c })
	}
	plant.Later(func() {
		for c := range of {
			close(c)
		}
	})
}

func inDeferred(name string, n int) {
	for i := 0; i < n/2; i++ {
		c := make(chan int)
		wait(name, 1, func(int) { <-c })
		wait(name, 1, func(int) {
			for k := 0; k < 3; k++ {
				// In a loop a deferred call is an object of the heap.
				if k == 1 {
					defer close(c)
				} else {
					defer func() {}()
				}
			}
			time.Sleep(time.Hour)
		})
	}
}

func inMethodValue(name string, n int) {
	for i := 0; i < n; i++ {
		e := ending{make(chan int)}
		wait(name, 1, func(int) { <-e.c })
		time.AfterFunc(time.Hour, e.end)
	}
}

type large struct {
	before [700]byte
	mu     sync.Mutex
	c      chan int
	after  [700]byte
}

// inTheMiddle has pointers into objects only.
func inTheMiddle(name string, n int) {
	for i := 0; i < n/2; i++ {
		l := &large{c: make(chan int)}
		c, mu := &l.c, &l.mu
		mu.Lock()
		wait(name, 1, func(int) { <-*c })
		wait(name, 1, func(int) { mu.Lock() })
		bytes := l.after[300:400]
		plant.AtEnd(func() {
			_ = bytes[0]
			close(*c)
			mu.Unlock()
		})
	}
}

func inArray(name string, n int) {
	all := new([64]chan int)
	for i := range all {
		c := make(chan int)
		all[i] = c
		wait(name, 1, func(int) { <-c })
	}
	some := all[60:]
	plant.AtEnd(func() {
		for _, c := range some[:4] {
			close(c)
		}
		for _, c := range all {
			select {
			case <-c:
			default:
				close(c)
			}
		}
	})
}

// inSystemCall is held by the frames of goroutines that read pipes as blocking descriptors.
func inSystemCall(name string, n int) {
	for i := 0; i < n; i++ {
		fds := make([]int, 2)
		must(syscall.Pipe(fds))
		c := make(chan int)
		go func() {
			buf := make([]byte, 1)
			syscall.Read(fds[0], buf)
			close(c)
		}()
		wait(name, 1, func(int) { <-c })
	}
}

// spin computes, with a channel in its arguments that it closes at the end.
//
//go:noinline
func spin(c chan int, end *int32) (x uint64) {
	for i := uint64(1); ; i++ {
		x = x*6364136223846793005 + i
		if i%1024 == 0 && atomic.LoadInt32(end) != 0 {
			break
		}
	}
	close(c)
	return x
}

func inRegister(name string, n int) {
	for i := 0; i < n; i++ {
		c := make(chan int)
		wait(name, 1, func(int) { <-c })
		if i > 0 {
			plant.Later(func() { close(c) })
			continue
		}
		held := make(chan chan int, 1)
		held <- c
		plant.Last(func() {
			end := new(int32)
			go spin(<-held, end)
			plant.AtEnd(func() { atomic.StoreInt32(end, 1) })
			held = nil
		})
	}
}

type handle struct {
	closed chan int
	name   string
}

// inFinalizer waits until handles are forgotten: they are held by the main function.
func inFinalizer(name string, n int) {
	for i := 0; i < n; i++ {
		h := &handle{make(chan int), "h"}
		c := h.closed
		runtime.SetFinalizer(h, func(h *handle) { close(h.closed) })
		wait(name, 1, func(int) { <-c })
		plant.AtEnd(func() { runtime.KeepAlive(h) })
	}
}

func lockedThread(name string, n int) {
	c := make(chan int)
	wait(name, n, func(int) {
		runtime.LockOSThread()
		<-c
	})
	plant.AtEnd(func() { close(c) })
}

// inOther is a chain: each will be woken by the one before, the first by a timer.
func inOther(name string, n int) {
	before := make(chan int)
	time.AfterFunc(time.Hour, func(c chan int) func() { return func() { close(c) } }(before))
	for i := 0; i < n; i++ {
		in, out := before, make(chan int)
		wait(name, 1, func(int) {
			<-in
			close(out)
		})
		before = out
	}
}

// inPool lends what is waited for to a pool; who takes it next wakes them.
func inPool(name string, n int) {
	var p sync.Pool
	for i := 0; i < n; i++ {
		b := &box{done: make(chan int)}
		wait(name, 1, func(int) { <-b.done })
		// A pool forgets after two collections: the main function remembers.
		p.Put(b)
		plant.AtEnd(func() {
			if got, ok := p.Get().(*box); ok {
				b = got
			}
			close(b.done)
		})
	}
}
