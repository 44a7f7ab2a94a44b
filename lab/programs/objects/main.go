// Command objects plants objects of known addresses, sizes, types and pointers in the heap, writes what it planted to the file that is named (truth.json) and prints
// READY. It runs until its input ends. Which words are pointers it knows from reflection, not from the runtime's own maps of them. Objects of the second round are
// allocated after the last collection: what the runtime makes for them only when it collects is not there yet.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"unsafe"
)

type node struct {
	next  *node
	value int64
	name  string
}

type word struct{ p *node }

type pair struct {
	n int64
	p *node
}

// mixed has pointers of every kind among words that are none.
type mixed struct {
	before int64
	p      *node
	nums   [3]uint32
	text   string
	bytes  []byte
	any    interface{}
	f      func() int
	m      map[string]int
	c      chan int
	u      unsafe.Pointer
	arrays [2][2]pair
	err    error
	flag   bool
}

// small, even and over have 504, 512 and 520 bytes: maps in the span, and from Go 1.22 a header.
type small struct {
	p    *node
	data [61]int64
	q    *node
}

type even struct {
	p    *node
	data [62]int64
	q    *node
}

type over struct {
	p    *node
	data [63]int64
	q    *node
}

// gone has 352 bytes, which hardly anything else here has: what is freed is not used again.
type gone struct {
	p    *node
	data [43]int64
}

// reused has 888 bytes, as 111 pointers have.
type reused struct {
	p    *node
	data [110]int64
}

// program is so large that its pointer map is a program up to Go 1.23, and made on demand from 1.24 on.
type program struct {
	head   *node
	middle struct {
		pairs [9000]pair
		n     int64
		words [9000]word
	}
	text string
	rest [5]struct {
		q     *node
		zeros [700]int64
	}
	plain [1000]int64
}

// late is as large, and first allocated when nobody collects any more.
type late struct {
	n     int64
	inner [3]struct {
		head  [500]int64
		pairs [7000]pair
		tail  *node
	}
	last mixed
}

type lateArray [20000]pair

type object struct {
	Name string `json:"name"`
	// Address and bytes of what was asked for.
	Addr uintptr `json:"addr"`
	Size uintptr `json:"size"`
	// Type as reflection spells it: of one element.
	Type   string `json:"type"`
	Noscan bool   `json:"noscan"`
	// Offset and value of each pointer that is not nil.
	Pointers [][2]uintptr `json:"pointers"`
	Late     bool         `json:"late"`
}

type truth struct {
	Objects []object `json:"objects"`
	// Addresses that some object must point to: values of maps.
	Held []uintptr `json:"held"`
	// Addresses that were freed by the last collection.
	Freed []uintptr `json:"freed"`
	// runtime.MemStats at the end.
	HeapAlloc   uint64   `json:"heap_alloc"`
	HeapObjects uint64   `json:"heap_objects"`
	Sizes       []uint32 `json:"sizes"`
}

var (
	keep  []interface{}
	found truth
	freed []uintptr
)

// offsets are those of the words of a type that are pointers. The first word of an interface is none for the collector.
func offsets(t reflect.Type, at uintptr, out []uintptr) []uintptr {
	switch t.Kind() {
	case reflect.Ptr, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.String, reflect.Slice:
		return append(out, at)
	case reflect.Interface:
		return append(out, at+8)
	case reflect.Array:
		for i := 0; i < t.Len(); i++ {
			out = offsets(t.Elem(), at+uintptr(i)*t.Elem().Size(), out)
		}
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			out = offsets(t.Field(i).Type, at+t.Field(i).Offset, out)
		}
	}
	return out
}

func describe(name string, at unsafe.Pointer, n int, t reflect.Type) object {
	o := object{Name: name, Addr: uintptr(at), Size: uintptr(n) * t.Size(), Type: t.String(), Pointers: [][2]uintptr{}}
	one := offsets(t, 0, nil)
	o.Noscan = len(one) == 0
	for i := 0; i < n; i++ {
		for _, off := range one {
			off += uintptr(i) * t.Size()
			if v := *(*uintptr)(unsafe.Pointer(uintptr(at) + off)); v != 0 {
				o.Pointers = append(o.Pointers, [2]uintptr{off, v})
			}
		}
	}
	return o
}

// planted is what is to be described when everything has been filled in.
type planted struct {
	name string
	at   unsafe.Pointer
	n    int
	t    reflect.Type
}

var all []planted

// plant keeps a pointer to a value, or a slice.
func plant(name string, x interface{}) {
	keep = append(keep, x)
	v := reflect.ValueOf(x)
	if v.Kind() == reflect.Slice {
		all = append(all, planted{name, unsafe.Pointer(v.Pointer()), v.Cap(), v.Type().Elem()})
		return
	}
	all = append(all, planted{name, unsafe.Pointer(v.Pointer()), 1, v.Type().Elem()})
}

func list(n int) *node {
	var head *node
	for i := 0; i < n; i++ {
		head = &node{head, int64(i), fmt.Sprint("node ", i)}
	}
	return head
}

// fill gives a pattern of values: of three pointers one is nil.
func fill(nodes []*node, i int) *node {
	if i%3 == 2 {
		return nil
	}
	return nodes[i%len(nodes)]
}

func someMixed(nodes []*node, i int) mixed {
	m := mixed{before: int64(uintptr(unsafe.Pointer(nodes[0]))), p: nodes[i%len(nodes)], text: fmt.Sprint("text ", i), bytes: make([]byte, i%7+1)}
	m.any, m.err = nodes[(i+1)%len(nodes)], fmt.Errorf("error %d", i)
	m.f = func() int { return int(m.before) }
	m.m, m.c, m.u = map[string]int{"a": i}, make(chan int, 3), unsafe.Pointer(nodes[(i+2)%len(nodes)])
	m.arrays[1][0].p = nodes[(i+3)%len(nodes)]
	m.arrays[0][1].n = int64(uintptr(unsafe.Pointer(nodes[0])))
	return m
}

func someProgram(nodes []*node, p *program) {
	p.head, p.text = nodes[1], fmt.Sprint("text of a program")
	for i := range p.middle.pairs {
		p.middle.pairs[i] = pair{int64(uintptr(unsafe.Pointer(nodes[0]))), fill(nodes, i)}
		p.middle.words[i].p = fill(nodes, i+1)
	}
	for i := range p.rest {
		p.rest[i].q = nodes[i]
		p.rest[i].zeros[3] = int64(uintptr(unsafe.Pointer(nodes[0])))
	}
}

//go:noinline
func forget(n int) {
	all := make([]*gone, n)
	for i := range all {
		all[i] = &gone{p: &node{}}
		// Of each span some are kept, so that it stays one.
		if i%10 == 0 {
			keep = append(keep, all[i])
		} else {
			freed = append(freed, uintptr(unsafe.Pointer(all[i])))
		}
	}
}

//go:noinline
func forgetPointers(nodes []*node, n int) {
	for i := 0; i < n; i++ {
		pointers := make([]*node, 111)
		for j := range pointers {
			pointers[j] = nodes[j]
		}
		// Of each span some are kept, so that it stays one.
		if i%8 == 0 {
			keep = append(keep, pointers)
			continue
		}
		found.Freed = append(found.Freed, uintptr(unsafe.Pointer(&pointers[0])))
	}
}

// reuse allocates where arrays of pointers stood: what was said of those slots' words must not be believed any more.
func reuse(nodes []*node) {
	forgetPointers(nodes, 2000)
	was := map[uintptr]bool{}
	for _, at := range found.Freed {
		was[at] = true
	}
	found.Freed = nil
	runtime.GC()
	runtime.GC()
	again := 0
	for i := 0; i < 1000; i++ {
		r := &reused{p: nodes[i]}
		for j := range r.data {
			r.data[j] = int64(uintptr(unsafe.Pointer(nodes[j])))
		}
		if was[uintptr(unsafe.Pointer(r))] {
			again++
		}
		plant("reused", r)
	}
	if again == 0 {
		panic("no slot was used again")
	}
}

func first() {
	var nodes []*node
	for at := list(5000); at != nil; at = at.next {
		nodes = append(nodes, at)
		plant("list", at)
	}
	reuse(nodes)
	for _, n := range []int{1, 2, 3, 7, 60, 64, 65, 1000, 10000, 150000} {
		pointers := make([]*node, n)
		for i := range pointers {
			pointers[i] = fill(nodes, i)
		}
		plant(fmt.Sprint("pointers ", n), pointers)
	}
	for _, n := range []int{1, 2, 3, 4, 5, 20, 300, 5000} {
		values := make([]mixed, n)
		for i := range values {
			values[i] = someMixed(nodes, i)
		}
		plant(fmt.Sprint("mixed ", n), values)
	}
	for i := 0; i < 40; i++ {
		plant("word", &word{nodes[i]})
		plant("pair", &pair{int64(i), nodes[i]})
		plant("small", &small{p: nodes[i], q: nodes[i+1]})
		plant("even", &even{p: nodes[i], q: nodes[i+1]})
		plant("over", &over{p: nodes[i], q: nodes[i+1]})
		plant("string", &[]string{fmt.Sprint("text ", i)}[0])
	}
	for i := 0; i < 2; i++ {
		p := new(program)
		someProgram(nodes, p)
		plant("program", p)
	}
	programs := make([]program, 3)
	for i := range programs {
		someProgram(nodes, &programs[i])
	}
	plant("programs", programs)
	array := new([30000]pair)
	for i := range array {
		array[i].p = fill(nodes, i)
	}
	plant("array", array)
	for _, n := range []int{17, 100, 513, 5000, 40000, 3 << 20} {
		plant(fmt.Sprint("bytes ", n), make([]byte, n))
	}
	m := map[int]*node{}
	words := map[string]mixed{}
	for i := 0; i < 1000; i++ {
		m[i] = &node{value: int64(i)}
		found.Held = append(found.Held, uintptr(unsafe.Pointer(m[i])))
		words[fmt.Sprint(i)] = mixed{p: &node{value: int64(i)}}
		found.Held = append(found.Held, uintptr(unsafe.Pointer(words[fmt.Sprint(i)].p)))
	}
	keep = append(keep, m, words)
	forget(20000)
	more(nodes)
}

func second() {
	var nodes []*node
	for at := list(1000); at != nil; at = at.next {
		nodes = append(nodes, at)
		plant("late list", at)
	}
	for i := 0; i < 2; i++ {
		l := new(late)
		for j := range l.inner {
			for k := range l.inner[j].pairs {
				l.inner[j].pairs[k].p = fill(nodes, k)
			}
			l.inner[j].tail = nodes[j]
		}
		l.last = someMixed(nodes, i)
		plant("late", l)
	}
	a := new(lateArray)
	for i := range a {
		a[i].p = fill(nodes, i)
	}
	plant("late array", a)
	plant("late mixed", &[]mixed{someMixed(nodes, 5)}[0])
}

func main() {
	runtime.GOMAXPROCS(2)
	debug.SetGCPercent(-1)
	first()
	rest := all
	all = nil
	for _, p := range rest {
		found.Objects = append(found.Objects, describe(p.name, p.at, p.n, p.t))
	}
	runtime.GC()
	runtime.GC()
	second()
	for _, p := range all {
		o := describe(p.name, p.at, p.n, p.t)
		o.Late = true
		found.Objects = append(found.Objects, o)
	}
	found.Freed = freed
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	found.HeapAlloc, found.HeapObjects = stats.HeapAlloc, stats.HeapObjects
	for _, c := range stats.BySize {
		found.Sizes = append(found.Sizes, c.Size)
	}
	if len(os.Args) > 1 {
		file, err := os.Create(os.Args[1])
		if err == nil {
			err = json.NewEncoder(file).Encode(&found)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		file.Close()
	}
	// Again, for writing took memory too.
	runtime.ReadMemStats(&stats)
	if len(os.Args) > 1 {
		text, _ := json.Marshal(map[string]uint64{"heap_alloc": stats.HeapAlloc, "heap_objects": stats.HeapObjects})
		os.WriteFile(os.Args[1]+".stats", text, 0o644)
	}
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(keep)
	runtime.KeepAlive(rest)
	runtime.KeepAlive(all)
}
