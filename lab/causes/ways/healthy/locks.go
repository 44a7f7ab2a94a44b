package main

import (
	"container/list"
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

func locks() {
	idiom("mutex", 1000, mutex)
	idiom("lone-mutex", 400, loneMutex)
	idiom("read-write-lock", 600, readWrite)
	idiom("cond", 800, cond)
	idiom("cond-broadcast", 300, condBroadcast)
	idiom("wait-group", 400, waitGroup)
	idiom("once", 200, once)
	idiom("error-group", 300, errorGroup)
	idiom("single-flight", 400, singleFlight)
	idiom("weighted-semaphore", 500, weighted)
	idiom("lock-of-a-caller", 100, lockOfCaller)
	idiom("lock-in-a-timer", 100, lockInTimer)
	idiom("lock-as-a-signal", 100, lockAsSignal)
	idiom("unlock-deferred-first", 100, unlockDeferredFirst)
	idiom("nearly-a-cycle", 150, nearlyCycle)
}

type counters struct {
	mu  sync.Mutex
	of  map[string]int
	by  [3]*counters
	num int
}

// mutex is held by somebody who sleeps.
func mutex(name string, n int) {
	c := &counters{of: map[string]int{}}
	wait(name, 1, func(int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		time.Sleep(time.Hour)
	})
	time.Sleep(30 * time.Millisecond)
	wait(name, n-1, func(int) {
		c.mu.Lock()
		c.num++
		c.mu.Unlock()
	})
}

// loneMutex is a word of the heap without a pointer; its holder has nothing else.
func loneMutex(name string, n int) {
	for i := 0; i < n/2; i++ {
		var mu sync.Mutex
		mu.Lock()
		wait(name, 1, func(int) {
			time.Sleep(time.Hour)
			mu.Unlock()
		})
		wait(name, 1, func(int) { mu.Lock() })
	}
}

// readWrite has a reader that sleeps, a writer behind it, and readers behind the writer.
func readWrite(name string, n int) {
	for i := 0; i < 20; i++ {
		mu := new(sync.RWMutex)
		wait(name, 1, func(int) {
			mu.RLock()
			time.Sleep(time.Hour)
			mu.RUnlock()
		})
		time.Sleep(3 * time.Millisecond)
		wait(name, 1, func(int) {
			mu.Lock()
			mu.Unlock()
		})
		time.Sleep(3 * time.Millisecond)
		wait(name, n/20-2, func(int) {
			mu.RLock()
			mu.RUnlock()
		})
	}
}

type queue struct {
	mu    sync.Mutex
	some  *sync.Cond
	items []int
}

func (q *queue) pop() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		q.some.Wait()
	}
	v := q.items[0]
	q.items = q.items[1:]
	return v
}

func (q *queue) push(v int) {
	q.mu.Lock()
	q.items = append(q.items, v)
	q.mu.Unlock()
	q.some.Signal()
}

func cond(name string, n int) {
	for i := 0; i < 8; i++ {
		q := new(queue)
		q.some = sync.NewCond(&q.mu)
		wait(name, n/8-1, func(int) { q.pop() })
		wait(name, 1, func(int) {
			time.Sleep(time.Hour)
			q.push(1)
		})
	}
}

func condBroadcast(name string, n int) {
	var mu sync.Mutex
	c := sync.Cond{L: &mu}
	wait(name, n, func(int) {
		mu.Lock()
		c.Wait()
		mu.Unlock()
	})
	plant.AtEnd(c.Broadcast)
}

func waitGroup(name string, n int) {
	for i := 0; i < n/4; i++ {
		var wg sync.WaitGroup
		wg.Add(3)
		wait(name, 3, func(int) {
			defer wg.Done()
			time.Sleep(time.Hour)
		})
		wait(name, 1, func(int) { wg.Wait() })
	}
}

func once(name string, n int) {
	o := new(sync.Once)
	wait(name, n, func(int) { o.Do(func() { time.Sleep(time.Hour) }) })
}

type group struct {
	wg   sync.WaitGroup
	sem  chan struct{}
	once sync.Once
	err  error
}

func (g *group) start(f func() error) {
	g.sem <- struct{}{}
	g.wg.Add(1)
	go func() {
		defer func() {
			<-g.sem
			g.wg.Done()
		}()
		if err := f(); err != nil {
			g.once.Do(func() { g.err = err })
		}
	}()
}

// errorGroup has a limit: who starts waits for a place, who waits for all of it.
func errorGroup(name string, n int) {
	for i := 0; i < n/3; i++ {
		g := &group{sem: make(chan struct{}, 1)}
		g.start(func() error {
			plant.Here(name, "waits")
			time.Sleep(time.Hour)
			return nil
		})
		wait(name, 1, func(int) { g.start(func() error { return nil }) })
		wait(name, 1, func(int) { g.wg.Wait() })
	}
}

type flight struct {
	wg    sync.WaitGroup
	value interface{}
}

type flights struct {
	mu sync.Mutex
	of map[string]*flight
}

func (f *flights) do(key string, fn func() interface{}) interface{} {
	f.mu.Lock()
	if c, ok := f.of[key]; ok {
		f.mu.Unlock()
		c.wg.Wait()
		return c.value
	}
	c := new(flight)
	c.wg.Add(1)
	f.of[key] = c
	f.mu.Unlock()
	c.value = fn()
	c.wg.Done()
	return c.value
}

func singleFlight(name string, n int) {
	f := &flights{of: map[string]*flight{}}
	keys := []string{"a", "b", "c", "d"}
	wait(name, n, func(i int) {
		f.do(keys[i%4], func() interface{} {
			time.Sleep(time.Hour)
			return nil
		})
	})
}

// weightedSem is golang.org/x/sync/semaphore in short: a list of channels.
type weightedSem struct {
	mu      sync.Mutex
	free    int
	waiters list.List
}

func (s *weightedSem) acquire() {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return
	}
	ready := make(chan struct{})
	s.waiters.PushBack(ready)
	s.mu.Unlock()
	<-ready
}

func (s *weightedSem) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	if first := s.waiters.Front(); first != nil {
		s.free--
		close(s.waiters.Remove(first).(chan struct{}))
	}
}

func weighted(name string, n int) {
	s := &weightedSem{free: 5}
	wait(name, n, func(int) {
		s.acquire()
		defer s.release()
		time.Sleep(time.Hour)
	})
}

// lockOfCaller is a lock in the frame of a caller of who sleeps, behind two calls.
func lockOfCaller(name string, n int) {
	for i := 0; i < n/2; i++ {
		var mu sync.Mutex
		deep := func(f func()) { time.Sleep(time.Hour); f() }
		wait(name, 1, func(int) {
			mu.Lock()
			defer mu.Unlock()
			deep(func() {})
		})
		time.Sleep(time.Millisecond)
		wait(name, 1, func(int) {
			mu.Lock()
			defer mu.Unlock()
		})
	}
}

// lockInTimer is unlocked by a timer's function.
func lockInTimer(name string, n int) {
	for i := 0; i < n; i++ {
		mu := new(sync.Mutex)
		mu.Lock()
		time.AfterFunc(time.Hour, mu.Unlock)
		wait(name, 1, func(int) { mu.Lock() })
	}
}

// lockAsSignal locks twice on purpose: somebody else unlocks in between.
func lockAsSignal(name string, n int) {
	for i := 0; i < n/2; i++ {
		mu := new(sync.Mutex)
		wait(name, 1, func(int) {
			mu.Lock()
			wait(name, 1, func(int) {
				time.Sleep(time.Hour)
				mu.Unlock()
			})
			mu.Lock()
			mu.Unlock()
		})
	}
}

// unlockDeferredFirst has the deferred Unlock of who does not hold the lock yet.
func unlockDeferredFirst(name string, n int) {
	for i := 0; i < n/2; i++ {
		c := &counters{of: map[string]int{}}
		c.mu.Lock()
		wait(name, 1, func(int) {
			time.Sleep(time.Hour)
			c.mu.Unlock()
		})
		wait(name, 1, func(int) {
			defer c.mu.Unlock()
			c.mu.Lock()
			c.num++
		})
	}
}

// nearlyCycle has two who know both locks; one holds the first and waits for the second, the other waits for the
// first, and the second is held by a third, who sleeps.
func nearlyCycle(name string, n int) {
	for i := 0; i < n/3; i++ {
		a, b := &counters{num: 1}, &counters{num: 2}
		a.by[0], b.by[0] = b, a
		add := func(x, y *counters) {
			x.mu.Lock()
			defer x.mu.Unlock()
			y.mu.Lock()
			defer y.mu.Unlock()
			x.num, y.num = y.num, x.num
		}
		b.mu.Lock()
		wait(name, 1, func(int) {
			time.Sleep(time.Hour)
			b.mu.Unlock()
		})
		wait(name, 2, func(int) { add(a, b) })
	}
}
