// Command rooted plants objects that live for one reason each: a variable of the program, a variable of a frame, a stack object that another
// points to, an argument, a deferred call, a panic under way, a finalizer, a timer and others; and objects that are not used any more
// although a word that points to them still stands somewhere. It writes what it planted to the file that is named (truth.json), its own
// HeapAlloc after two collections to truth.json.stats, prints READY and waits until its input ends. With "late" as second argument it plants
// all of it once more when nobody collects any more: what is not used then is still there. With "spin" some goroutines run for ever.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// node has 1024 bytes, a header of its own from Go 1.22 on included.
type node struct {
	next *node
	n    int
	data [1000]byte
}

type object struct {
	Name string  `json:"name"`
	Addr uintptr `json:"addr"`
	// Whether a collection keeps it.
	Live bool `json:"live"`
	Late bool `json:"late"`
}

var (
	mu      sync.Mutex
	objects []object
	late    bool

	ready   sync.WaitGroup
	release = make(chan struct{})
	never   = make(chan *node)

	global     *node
	globalLate *node
	globals    [2]*node
	globalAny  [2]interface{}
	globalMap  = map[int]*node{}
	globalFunc func()
	finalized  []*node
	timers     []*time.Timer
	pool       sync.Pool
	stop       int32
)

//go:noinline
func plant(name string, live bool) *node {
	n := &node{n: 1}
	mu.Lock()
	objects = append(objects, object{name, uintptr(unsafe.Pointer(n)), live, late})
	mu.Unlock()
	return n
}

// use does something with an object and keeps nothing of it.
//
//go:noinline
func use(n *node) { n.n++ }

// touch does the same with what may stand on a stack.
//
//go:noinline
func touch(h *holder) { h.n++ }

type holder struct {
	p    *node
	next *holder
	n    int
}

// park waits for ever.
//
//go:noinline
func park() {
	ready.Done()
	<-release
}

//go:noinline
func variable() {
	a, dead := plant("variable", true), plant("dead variable", false)
	use(dead)
	use(a)
	park()
	use(a)
}

//go:noinline
func branches(n int) {
	var a, b *node
	if n > 0 {
		a = plant("variable of one branch", true)
	}
	b = plant("dead before the wait", false)
	use(b)
	park()
	if a != nil {
		use(a)
	}
}

//go:noinline
func stackObject() {
	var inner, outer holder
	inner.p = plant("stack object that another points to", true)
	outer.next = &inner
	outer.p = plant("stack object", true)
	touch(&outer)
	park()
	touch(outer.next)
	touch(&outer)
}

//go:noinline
func deadStackObject() {
	var h holder
	h.p = plant("dead stack object", false)
	touch(&h)
	park()
}

//go:noinline
func array(i int) {
	var all [8]*node
	all[i] = plant("array on the stack", true)
	park()
	use(all[i])
}

//go:noinline
func iface() {
	var x interface{} = plant("interface", true)
	park()
	use(x.(*node))
}

//go:noinline
func argument(n *node) {
	park()
	use(n)
}

//go:noinline
func manyArguments(a, b, c, d, e, f, g, h, i, j, k, l *node) {
	park()
	use(a)
	use(l)
}

//go:noinline
func results() (a, b *node) {
	a = plant("named result", true)
	defer func() { recover() }()
	park()
	return a, nil
}

//go:noinline
func deferred() {
	n := plant("open-coded defer", true)
	defer use(n)
	park()
}

//go:noinline
func deferredInLoop(times int) {
	for i := 0; i < times; i++ {
		n := plant("defer in a loop", true)
		defer func() { use(n) }()
	}
	park()
}

//go:noinline
func panics() {
	a := plant("variable that a recovered panic returns past", false)
	defer func() {
		recover()
	}()
	defer func() {
		park()
	}()
	use(a)
	panic(plant("panic under way", true))
}

//go:noinline
func faults(h *holder) (kept *node) {
	kept = plant("result of a function that faulted", true)
	defer func() {
		recover()
	}()
	defer park()
	h.n++
	return
}

//go:noinline
func closure() func() {
	n := plant("closure", true)
	return func() { park(); use(n) }
}

func (n *node) method() {
	park()
	use(n)
}

//go:noinline
func selects() {
	one, two := make(chan *node, 1), make(chan *node, 1)
	two <- plant("buffer of a channel", true)
	// Nobody else has them.
	one <- plant("channel that is only waited for", true)
	go func() {
		ready.Done()
		select {
		case one <- nil:
		case never <- nil:
		}
	}()
	go func() {
		ready.Done()
		two <- plant("value that is being sent", true)
	}()
}

//go:noinline
func reflected() {
	type f = func(a *node, b string, c *node) *node
	made := reflect.MakeFunc(reflect.TypeOf(f(nil)), func(in []reflect.Value) []reflect.Value {
		park()
		use(in[0].Interface().(*node))
		return []reflect.Value{reflect.Zero(reflect.TypeOf((*node)(nil)))}
	}).Interface().(f)
	made(plant("argument of a function made by reflection", true), "text", plant("another one", true))
}

//go:noinline
func reflectedMethod() {
	n := plant("receiver of a method value made by reflection", true)
	reflect.ValueOf(n).MethodByName("Waits").Interface().(func(*node))(plant("its argument", true))
}

// Waits is called by reflection.
func (n *node) Waits(other *node) {
	park()
	use(n)
	use(other)
}

func fixedFinalizer() {
	n, other := plant("object with a finalizer", true), plant("closure of a finalizer", true)
	finalized = append(finalized, n)
	runtime.SetFinalizer(n, func(n *node) { n.next = other })
}

// blockFinalizers makes the goroutine that runs finalizers wait for ever; others are due then.
//
//go:noinline
func blockFinalizers() {
	n := new(node)
	n.next = plant("argument of a finalizer that runs", true)
	runtime.SetFinalizer(n, func(n *node) {
		ready.Done()
		<-release
		use(n.next)
	})
}

//go:noinline
func dueFinalizer() {
	n := plant("object whose finalizer is due", true)
	n.next = plant("behind an object whose finalizer is due", true)
	runtime.SetFinalizer(n, func(n *node) { use(n) })
}

//go:noinline
func spins() {
	n, dead := plant("variable of a loop without calls", true), plant("dead before the loop", false)
	use(dead)
	use(n)
	ready.Done()
	for atomic.LoadInt32(&stop) == 0 {
		n.n++
	}
	use(n)
}

//go:noinline
func clearStack(n int) int {
	var frame [64]int
	frame[n%64] = n
	if n > 0 {
		frame[0] += clearStack(n - 1)
	}
	return frame[0] + frame[n%64]
}

func start(n int, f func()) {
	ready.Add(n)
	go f()
}

func all(spin bool) {
	round := 0
	if late {
		round = 1
		globalLate = plant("global", true)
	} else {
		global = plant("global", true)
	}
	globals[round] = plant("global array", true)
	globalAny[round] = plant("global interface", true)
	globalMap[len(globalMap)] = plant("global map", true)
	n := plant("global closure", true)
	before := globalFunc
	globalFunc = func() {
		use(n)
		if before != nil {
			before()
		}
	}
	start(1, variable)
	start(1, func() { branches(1) })
	start(1, stackObject)
	start(1, deadStackObject)
	start(1, func() { array(5) })
	start(1, iface)
	ready.Add(1)
	go argument(plant("argument of a go statement", true))
	start(1, func() {
		manyArguments(plant("argument in a register", true), nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, plant("argument on the stack", true))
	})
	start(1, func() { results() })
	start(1, deferred)
	start(1, func() { deferredInLoop(3) })
	start(1, panics)
	start(1, func() { faults(nil) })
	start(1, func() { closure()() })
	start(1, plant("method value", true).method)
	start(2, selects)
	start(1, reflected)
	start(1, reflectedMethod)
	start(1, func() {
		pprof.Do(context.Background(), pprof.Labels("key", "value"), func(ctx context.Context) {
			a := plant("below labels", true)
			park()
			use(a)
		})
	})
	t := plant("closure of a timer", true)
	timers = append(timers, time.AfterFunc(time.Hour, func() { use(t) }))
	go func() {
		s := plant("variable of one that sleeps", true)
		time.Sleep(time.Hour)
		use(s)
	}()
	pool.Put(plant("pool", late))
	fixedFinalizer()
	if !late {
		dueFinalizer()
	}
	more()
	if spin {
		start(1, spins)
	}
	clearStack(100)
}

func write(name string, x interface{}) {
	text, err := json.Marshal(x)
	if err == nil {
		err = os.WriteFile(name, text, 0o600)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	again, spin := false, false
	for _, arg := range os.Args[2:] {
		again, spin = again || arg == "late", spin || arg == "spin"
	}
	runtime.GOMAXPROCS(3)
	ready.Add(1)
	blockFinalizers()
	clearStack(100)
	runtime.GC()
	ready.Wait()
	all(spin)
	ready.Wait()
	time.Sleep(50 * time.Millisecond)
	write(os.Args[1], map[string]interface{}{"objects": objects})
	file, err := os.Create(os.Args[1] + ".stats")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	stats := new(runtime.MemStats)
	line := make([]byte, 0, 256)
	clearStack(100)
	debug.SetGCPercent(-1)
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(stats)
	line = append(line, `{"heap_alloc":`...)
	line = strconv.AppendUint(line, stats.HeapAlloc, 10)
	line = append(line, `,"heap_objects":`...)
	line = strconv.AppendUint(line, stats.HeapObjects, 10)
	line = append(line, "}\nREADY\n"...)
	file.Write(line[:len(line)-len("\nREADY\n")])
	if again {
		late = true
		all(false)
		ready.Wait()
		time.Sleep(50 * time.Millisecond)
		write(os.Args[1], map[string]interface{}{"objects": objects})
		clearStack(100)
	}
	os.Stdout.Write(line[len(line)-len("READY\n"):])
	var input [16]byte
	for {
		if n, _ := os.Stdin.Read(input[:]); n == 0 {
			break
		}
	}
	// What the last collection found in use still is.
	runtime.KeepAlive(file)
	runtime.KeepAlive(stats)
	runtime.KeepAlive(line)
	runtime.KeepAlive(os.Args)
}
