package main

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
)

const whole = 1 << 17 // elements of the arrays that are kept for the sake of three

// wholeBytes of an array of them.
const wholeBytes = whole * 8

type session struct {
	id   int
	head []int
}

type message struct {
	from string
	kind string
}

var (
	// The notes' own: a package variable and three elements of a slice that somebody passed.
	a []int

	tail     []int
	middle   []int
	field    = &session{id: 1}
	byName   = map[string][]byte{}
	cutText  string
	boxed    interface{}
	channel  = make(chan []byte, 1)
	closure  func() int
	pieces   [][]byte
	messages []*message
	fewOf    []*leaf

	// These waste nothing: what they keep is all used.
	all, some  []int
	full       []byte
	wholeText  string
	tokensOf   []string
	prepared   []int64
	emptied    map[int64]int64
	shrunk     map[int64]int64
	fitting    map[int64]uint32
	numbersAny []interface{}
	points     []*point
)

type point struct{ x, y int64 }

// test is the notes' snippet.
func test(b []int) {
	a = b[:3]
	return
}

//go:noinline
func ints() []int {
	b := make([]int, whole)
	for i := range b {
		b[i] = i + 1
	}
	return b
}

//go:noinline
func buffer() []byte {
	b := make([]byte, wholeBytes)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}

//go:noinline
func holdPart(ready *sync.WaitGroup) {
	part := ints()[1000:1003:1003]
	ready.Done()
	<-release
	runtime.KeepAlive(part)
}

func keep(kind, owner, typ string, n, kept, used uint64) {
	found.Waste = append(found.Waste, waste{Kind: kind, Owner: owner, Type: typ, Count: n, Kept: kept, Used: used})
}

//go:noinline
func cut() {
	test(ints())
	tail = ints()[whole-3:]
	middle = ints()[5000:5003:5003]
	field.head = ints()[:3]
	byName["part"] = bytes.Fields(append(buffer()[:1<<19], []byte(" word "+strings.Repeat("z", wholeBytes-1<<19-6))...))[1]
	big := string(buffer())
	cutText = big[100:132]
	boxed = ints()[:3]
	channel <- buffer()[40:60]
	part := ints()[7:10]
	closure = func() int { return part[0] + len(part) }
	for i := 0; i < 200; i++ {
		line := make([]byte, 8192)
		line[0], line[17] = byte(i), 1
		pieces = append(pieces, line[10:20])
	}
	for i := 0; i < 300; i++ {
		line := fmt.Sprintf("from-%08d kind-%d %s", i, i%3, strings.Repeat("payload ", 500))
		words := strings.SplitN(line, " ", 3)
		messages = append(messages, &message{words[0], words[1]})
	}
	many := make([]*leaf, 20000)
	for i := range many {
		many[i] = &leaf{a: -int64(i)}
	}
	fewOf = many[:2]

	all = ints()
	some = all[:3]
	full = buffer()
	wholeText = strings.Repeat("word of a text that is kept whole ", 4000)
	tokensOf = strings.Fields(wholeText)
}

//go:noinline
func oversize() {
	prepared = make([]int64, 10, 100000)
	emptied, shrunk, fitting = map[int64]int64{}, map[int64]int64{}, map[int64]uint32{}
	for i := int64(0); i < 60000; i++ {
		emptied[i], shrunk[i] = i, i
		fitting[i] = uint32(i)
	}
	for i := int64(0); i < 60000; i++ {
		delete(emptied, i)
		if i >= 50 {
			delete(shrunk, i)
		}
	}
	for i := 0; i < 40000; i++ {
		numbersAny = append(numbersAny, 1000000+i)
	}
	for i := 0; i < 50000; i++ {
		points = append(points, &point{int64(i), 1})
	}
}

func plantWaste() {
	cut()
	var ready sync.WaitGroup
	ready.Add(1)
	go holdPart(&ready)
	ready.Wait()
	oversize()
	keep("subslice", "main.a", "[]int", 1, wholeBytes, 24)
	keep("subslice", "main.tail", "[]int", 1, wholeBytes, 24)
	keep("subslice", "main.middle", "[]int", 1, wholeBytes, 24)
	keep("subslice", "main.field.head", "[]int", 1, wholeBytes, 24)
	keep("subslice", "main.byName", "[]uint8", 1, wholeBytes, 4)
	keep("substring", "main.cutText", "string", 1, wholeBytes, 32)
	keep("subslice", "main.boxed", "[]int", 1, wholeBytes, 24)
	keep("subslice", "main.channel", "[]uint8", 1, wholeBytes, 20)
	keep("subslice", "main.closure", "[]int", 1, wholeBytes, 24)
	keep("subslice", "main.pieces", "[]uint8", 200, 200*8192, 200*10)
	found.Waste = append(found.Waste, waste{Kind: "subslice", Holder: "main.holdPart", Type: "[]int", Count: 1, Kept: wholeBytes, Used: 24})
	// Two words of each line: one array for both.
	line := uint64(len(fmt.Sprintf("from-%08d kind-%d %s", 1, 1, strings.Repeat("payload ", 500))))
	keep("substring", "main.messages", "string", 300, 300*slot(line, false), 300*(13+6))
	more("main.leaf", several(20000, 64, false))
	// The leaves behind the second are kept too.
	keep("subslice", "main.fewOf", "[]*main.leaf", 1, slot(20000*8, true)+19998*64, 16)
	found.Thrifty = append(found.Thrifty, "main.all", "main.some", "main.full", "main.wholeText", "main.tokensOf", "main.fitting", "main.numbers", "main.registry")
	keep("overcapacity", "main.prepared", "[]int64", 1, slot(800000, false), 80)
	keep("empty", "main.emptied", "map[int64]int64", 1, 0, 0)
	keep("oversized", "main.shrunk", "map[int64]int64", 1, 0, 0)
	keep("boxed", "main.numbersAny", "[]interface {}", 40000, 0, 0)
	keep("pointer-slice", "main.points", "[]*main.point", 50000, 0, 0)
}
