// Command handed has objects that nothing but arguments and variables of functions under way lead to: it writes the
// address and the type of each, as %T spells it, to the file that is named (truth.json), prints READY and waits until its
// input ends. It keeps no memory profile.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"unsafe"
)

type planted struct {
	Address uintptr `json:"address"`
	Type    string  `json:"type"`
}

var (
	truth   []planted
	lock    sync.Mutex
	ready   sync.WaitGroup
	release = make(chan struct{})
	sink    int
)

// note is told the type in words, so that no interface is made of it: nothing else in the binary may name *T.
//
//go:noinline
func note(at unsafe.Pointer, name string) {
	lock.Lock()
	truth = append(truth, planted{uintptr(at), name})
	lock.Unlock()
}

//go:noinline
func park() {
	ready.Done()
	<-release
}

type hop struct {
	from, to *hop
	cost     int64
}

type page struct {
	next *page
	body [3]int64
	text string
}

// walk is handed what its caller has made anew, and makes the next: a recursion of its own copies.
//
//go:noinline
func (g *graph) walk(depth int, path []*hop) int {
	if depth == 0 {
		park()
		return int(path[0].cost) + g.n
	}
	next := longer(path)
	n := g.walk(depth-1, next)
	if len(path) > 0 {
		n += int(path[0].cost)
	}
	return n
}

type graph struct {
	n    int
	name string
	hops *hop
}

//go:noinline
func longer(path []*hop) []*hop {
	next := make([]*hop, len(path)+1)
	copy(next, path)
	h := &hop{}
	note(unsafe.Pointer(h), "main.hop")
	next[len(path)] = h
	note(unsafe.Pointer(&next[0]), "[]*main.hop")
	return next
}

// An argument that is handed on through two functions.
//
//go:noinline
func first(p *page, m map[string]*page) int {
	return second(7, m, p) + 1
}

//go:noinline
func second(n int, m map[string]*page, p *page) int {
	third(p, m)
	return n + len(m)
}

//go:noinline
func third(p *page, m map[string]*page) {
	park()
	sink += len(p.text) + len(m)
}

func newPage() *page {
	p := &page{text: strings.Repeat("x", 20)}
	note(unsafe.Pointer(p), "main.page")
	note(*(*unsafe.Pointer)(unsafe.Pointer(&p.text)), "string")
	return p
}

// A method that an interface calls, with all kinds of arguments.
type handler interface {
	handle(r *request, parts []part, tags map[string]int, done chan reply, after func() int, text string) *reply
}

type server struct {
	last  *request
	count int
}

type request struct {
	path string
	body []byte
}

type part struct {
	owner *request
	size  int64
}

type reply struct {
	status int
	of     *request
}

//go:noinline
func (s *server) handle(r *request, parts []part, tags map[string]int, done chan reply, after func() int, text string) *reply {
	park()
	sink += s.count + len(r.path) + int(parts[cap(parts)-1].size) + len(tags) + cap(done) + after() + int(text[len(text)-1])
	if s.last != nil {
		return &reply{}
	}
	return nil
}

// A value as a receiver: its words are in registers.
type cursor struct {
	at    *page
	limit int
	rows  []part
}

//go:noinline
func (c cursor) scan() int {
	park()
	return int(c.rows[len(c.rows)-1].size) + cap(c.rows) + c.limit + len(c.at.text)
}

type scanner interface{ scan() int }

// front begins with a whole other type that needs the same slot.
type inner struct {
	data  *page
	count int64
	more  [3]int64
}

type front struct {
	inner
	flag bool
}

type block struct {
	parts [3]part
	flag  bool
}

// What is handed over is the first field, and the whole array of it: neither was allocated alone.
//
//go:noinline
func useInner(i *inner) {
	park()
	sink += int(i.count)
}

//go:noinline
func (i *inner) use() {
	park()
	sink += int(i.count)
}

//go:noinline
func useParts(p []part) {
	park()
	sink += int(p[len(p)-1].size) + cap(p)
}

//go:noinline
func useString(s string) {
	park()
	sink += int(s[len(s)-1])
}

// What an interface holds is not of the type that a switch asks for.
//
//go:noinline
func useAny(x interface{}) int {
	if r, ok := x.(*request); ok {
		sink += len(r.path)
	}
	park()
	if p, ok := x.(*page); ok {
		return len(p.text)
	}
	return 0
}

type list[T any] struct {
	first *node[T]
	n     int
}

type node[T any] struct {
	value T
	next  *node[T]
}

//go:noinline
func (l *list[T]) each(n *node[T]) int {
	park()
	if n != nil {
		return l.n
	}
	return 0
}

// Two ways to one variable, of one type.
//
//go:noinline
func choose(n int) *page {
	if n%2 == 0 {
		return newPage()
	}
	p := newPage()
	p.next = newPage()
	return p
}

//go:noinline
func local(n int) {
	p := choose(n)
	q := p.next
	park()
	sink += len(p.text)
	if q != nil {
		sink += len(q.text)
	}
}

//go:noinline
func words(lines []string) {
	for _, line := range lines {
		park()
		sink += int(line[len(lines)-1])
		break
	}
	sink += len(lines[len(lines)-1])
}

// A pointer that is another's in disguise.
//
//go:noinline
func disguised(i *inner) {
	park()
	sink += int(i.count)
}

func start(f func()) {
	ready.Add(1)
	go f()
}

//go:noinline
func plant(i int) {
	g := &graph{n: i}
	note(unsafe.Pointer(g), "main.graph")
	start(func() { sink += g.walk(5, nil) })

	p := newPage()
	m := map[string]*page{}
	for j := 0; j < 20; j++ {
		m[fmt.Sprint(j)] = newPage()
	}
	note(*(*unsafe.Pointer)(unsafe.Pointer(&m)), "map[string]*main.page")
	start(func() { sink += first(p, m) })

	s := &server{last: &request{path: "/"}}
	note(unsafe.Pointer(s), "main.server")
	note(unsafe.Pointer(s.last), "main.request")
	r := &request{body: make([]byte, 300)}
	note(unsafe.Pointer(r), "main.request")
	note(unsafe.Pointer(&r.body[0]), "[]uint8")
	parts := make([]part, 5+i%7)
	note(unsafe.Pointer(&parts[0]), "[]main.part")
	tags := map[string]int{}
	for j := 0; j < 20; j++ {
		tags[fmt.Sprint(j)] = j
	}
	note(*(*unsafe.Pointer)(unsafe.Pointer(&tags)), "map[string]int")
	done := make(chan reply, 4)
	note(*(*unsafe.Pointer)(unsafe.Pointer(&done)), "chan main.reply")
	text := strings.Repeat("y", 100)
	note(*(*unsafe.Pointer)(unsafe.Pointer(&text)), "string")
	var h handler = s
	if i < 0 {
		h = nil
	}
	start(func() { sink += h.handle(r, parts, tags, done, func() int { return i }, text).status })

	c := &cursor{at: newPage(), limit: i, rows: make([]part, 9)}
	note(unsafe.Pointer(&c.rows[0]), "[]main.part")
	var sc scanner = *c
	start(func() { sink += sc.scan() })

	f := &front{}
	note(unsafe.Pointer(f), "main.front")
	start(func() { useInner(&f.inner) })
	f2 := &front{}
	note(unsafe.Pointer(f2), "main.front")
	start(func() { f2.use() })
	in := &inner{data: newPage()}
	note(unsafe.Pointer(in), "main.inner")
	start(func() { in.use() })
	b := &block{}
	note(unsafe.Pointer(b), "main.block")
	start(func() { useParts(b.parts[:]) })
	whole := make([]part, 40)
	note(unsafe.Pointer(&whole[0]), "[]main.part")
	start(func() { useParts(whole[:3:5]) })
	raw := make([]byte, 200)
	note(unsafe.Pointer(&raw[0]), "[]uint8")
	start(func() { useString(*(*string)(unsafe.Pointer(&raw))) })
	start(func() { sink += useAny(newPage()) })
	rq := &request{}
	note(unsafe.Pointer(rq), "main.request")
	start(func() { sink += useAny(rq) })

	l := &list[page]{n: i}
	note(unsafe.Pointer(l), "main.list[main.page]")
	n := &node[page]{}
	note(unsafe.Pointer(n), "main.node[main.page]")
	start(func() { sink += l.each(n) })
	li := &list[int]{n: i}
	note(unsafe.Pointer(li), "main.list[int]")
	start(func() { sink += li.each(nil) })

	start(func() { local(i) })
	lines := make([]string, 30)
	for j := range lines {
		lines[j] = strings.Repeat("z", 40)
		note(*(*unsafe.Pointer)(unsafe.Pointer(&lines[j])), "string")
	}
	note(unsafe.Pointer(&lines[0]), "[]string")
	start(func() { words(lines) })

	d := &[6]*page{newPage()}
	note(unsafe.Pointer(d), "[6]*main.page")
	start(func() { disguised((*inner)(unsafe.Pointer(d))) })
}

func main() {
	runtime.MemProfileRate = 0
	for i := 0; i < 50; i++ {
		plant(i)
	}
	ready.Wait()
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1)
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
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
	close(release)
	fmt.Println(sink)
}
