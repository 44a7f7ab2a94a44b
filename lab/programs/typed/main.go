// Command typed has a heap of which it is known what stands where: it writes the address and the type of what it
// planted, as %T spells it, to the file that is named (truth.json), prints READY and waits until its input ends.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// sparse is an array of which most pages were never touched, if asked for.
var sparse []*node

type node struct {
	next  *node
	value int64
	label string
}

type inner struct {
	data  []byte
	count int
}

type item struct {
	id    int64
	name  string
	first inner
	rest  []*inner
	tags  map[string]string
	any   interface{}
}

// wide has more than 512 bytes and pointers.
type wide struct {
	head *node
	body [80]uint64
	last *item
}

// plain holds no pointers.
type plain struct {
	a, b, c, d, e int64
}

// front begins with a whole other type that needs the same slot: a pointer to its first field is none to an
// inner.
type front struct {
	inner
	flag bool
}

type shape interface{ area() float64 }

type square struct{ side float64 }

type circle struct {
	radius float64
	owner  *item
	name   string
}

func (s square) area() float64  { return s.side * s.side }
func (c *circle) area() float64 { return c.radius * c.radius * 3 }

type Pair[K comparable, V any] struct {
	Key   K
	Value V
	Next  *Pair[K, V]
}

type box struct {
	current atomic.Pointer[item]
	state   [3]int64
}

var (
	list    *node
	pages   []*item
	byName  = map[string]*item{}
	byID    = map[int64]plain{}
	grown   = map[int]string{}
	small   []map[string]int
	shapes  []shape
	anys    []interface{}
	funcs   []func() int
	pairs   *Pair[int, string]
	trees   []*Pair[string, *item]
	wides   []*wide
	fronts  []*front
	firsts  []*inner
	boxes   []*box
	values  []plain
	numbers []int64
	lines   []string
	queue   = make(chan *item, 1000)
	plains  = make(chan plain, 500)
	shared  sync.Map
	pool    = sync.Pool{New: func() interface{} { return new(bytes.Buffer) }}
	root    context.Context
	release = make(chan struct{})
)

type planted struct {
	Address uintptr `json:"address"`
	Type    string  `json:"type"`
}

var truth []planted

func note(at unsafe.Pointer, name string) {
	truth = append(truth, planted{uintptr(at), name})
}

func noteString(s string) {
	if len(s) >= 16 {
		note(*(*unsafe.Pointer)(unsafe.Pointer(&s)), "string")
	}
}

func noteBytes(b []byte) {
	note(*(*unsafe.Pointer)(unsafe.Pointer(&b)), "[]uint8")
}

// inspect notes what a pointer, map or channel leads to, with its type.
func inspect[T any](p *T) *T {
	name := fmt.Sprintf("%T", p)
	note(unsafe.Pointer(p), name[1:])
	return p
}

func inspectSlice[T any](s []T) []T {
	note(*(*unsafe.Pointer)(unsafe.Pointer(&s)), fmt.Sprintf("%T", s))
	return s
}

func inspectRef[T any](r T) T {
	name := fmt.Sprintf("%T", r)
	note(*(*unsafe.Pointer)(unsafe.Pointer(&r)), name)
	return r
}

func text(i int) string {
	s := strings.Repeat("x", 20) + fmt.Sprint(i)
	noteString(s)
	return s
}

func newInner(i int) *inner {
	return inspect(&inner{data: payload(40 + i%100), count: i})
}

func payload(n int) []byte {
	b := make([]byte, n)
	noteBytes(b)
	return b
}

func newItem(i int) *item {
	it := inspect(&item{id: int64(i), name: text(i)})
	it.first.data = payload(64)
	it.rest = inspectSlice(make([]*inner, 3))
	for j := range it.rest {
		it.rest[j] = newInner(i)
	}
	if i%4 == 0 {
		it.tags = inspectRef(map[string]string{text(i): text(i + 1)})
	}
	switch i % 3 {
	case 0:
		it.any = inspect(&plain{a: int64(i)})
	case 1:
		it.any = text(i)
	case 2:
		it.any = it.rest
	}
	return it
}

// fill builds what variables hold. Its frames are gone when it returns.
//
//go:noinline
func fill() {
	for i := 0; i < 20000; i++ {
		list = inspect(&node{next: list, value: int64(i), label: text(i)})
	}
	for i := 0; i < 5000; i++ {
		pages = append(pages, newItem(i))
	}
	inspectSlice(pages)
	inspectRef(byName)
	inspectRef(byID)
	inspectRef(grown)
	for i := 0; i < 4000; i++ {
		it := newItem(i)
		byName[it.name] = it
		byID[int64(i)] = plain{a: int64(i)}
	}
	for i := 0; i < 9000; i++ {
		grown[i] = text(i)
	}
	for i := 0; i < 300; i++ {
		small = append(small, inspectRef(map[string]int{text(i): i}))
	}
	for i := 0; i < 3000; i++ {
		shapes = append(shapes, inspect(&circle{radius: 1, owner: pages[i], name: text(i)}))
		anys = append(anys, inspect(&plain{b: 1}), int64(1000000+i), text(i), square{2})
		n := i
		name := text(i)
		funcs = append(funcs, func() int { return n + len(name) })
		pairs = inspect(&Pair[int, string]{Key: i, Value: text(i), Next: pairs})
		trees = append(trees, inspect(&Pair[string, *item]{Key: text(i), Value: pages[i]}))
		f := inspect(&front{inner: inner{data: payload(100)}, flag: true})
		fronts = append(fronts, f)
		firsts = append(firsts, &f.inner)
		lines = append(lines, text(i))
	}
	for i := 0; i < 500; i++ {
		wides = append(wides, inspect(&wide{head: list, last: pages[i]}))
		b := inspect(&box{})
		b.current.Store(newItem(i))
		boxes = append(boxes, b)
		shared.Store(text(i), newItem(i))
		queue <- newItem(i)
		plains <- plain{a: 1}
	}
	inspectSlice(shapes)
	inspectSlice(anys)
	inspectSlice(trees)
	inspectSlice(lines)
	inspectSlice(wides)
	values = inspectSlice(make([]plain, 10000))
	numbers = inspectSlice(make([]int64, 5000))
	inspectRef(queue)
	inspectRef(plains)
	ctx := context.Background()
	for i := 0; i < 20; i++ {
		ctx = context.WithValue(ctx, i, newItem(i))
	}
	root = ctx
	// A collection empties it: what it holds is not noted.
	for i := 0; i < 50; i++ {
		pool.Put(bytes.NewBuffer(make([]byte, 4096)))
	}
}

// hold keeps a map on a stack alone.
//
//go:noinline
func hold(ready *sync.WaitGroup) {
	m := inspectRef(map[int64]*item{})
	for i := 0; i < 500; i++ {
		m[int64(i)] = newItem(i)
	}
	ready.Done()
	<-release
	runtime.KeepAlive(m)
}

func main() {
	// As many samples as a service of half a gigabyte has at Go's own rate of one for 512 KiB.
	runtime.MemProfileRate = 16 << 10
	if len(os.Args) > 2 && os.Args[2] == "sparse" {
		// Fresh memory that nothing is written to but its last word.
		sparse = make([]*node, 4<<20)
		sparse[len(sparse)-1] = &node{label: "the last"}
	}
	fill()
	var ready sync.WaitGroup
	ready.Add(1)
	go hold(&ready)
	ready.Wait()
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1)
	var stats runtime.MemStats
	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := json.NewEncoder(file).Encode(map[string]interface{}{"objects": truth}); err != nil {
		panic(err)
	}
	if err := file.Close(); err != nil {
		panic(err)
	}
	truth = nil
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
	// What reads the profile is linked, and so one is kept.
	pprof.Lookup("heap").WriteTo(io.Discard, 0)
}
