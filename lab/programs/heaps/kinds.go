package main

import (
	"fmt"
	"unsafe"

	"heaps/shelf"
)

// leaf has no pointers, record a header from Go 1.22 on.
type leaf struct{ a, b, c, d, e, f, g, h int64 }

type record struct {
	next *record
	data [600]byte
}

type inner struct {
	text *string
	next *leaf
}

// outer points to what is known by it alone.
type outer struct {
	n     int32
	inner *inner
	leaf  *leaf
}

type box[T any] struct {
	value T
	next  *box[T]
}

type anonymous = struct {
	a int64
	p *leaf
}

type shape interface{ area() int }

type circle struct {
	radius int
	name   *leaf
}

type square struct{ side, other, third int }

func (c *circle) area() int { return c.radius }
func (s *square) area() int { return s.side }

// kinds holds objects of many types, each type by a slice of its own.
var kinds struct {
	leaves    []*leaf
	records   []*record
	outers    []*outer
	books     []*shelf.Book
	strings   []*box[string]
	shelved   []*box[shelf.Book]
	anonymous []*anonymous
	local     interface{}
	shapes    []shape
	arrays    []*[7]*leaf
	channels  []chan *circle
}

func count(x interface{}, size uintptr, n int, pointers bool) {
	found.Types = append(found.Types, kind{fmt.Sprintf("%T", x), several(n, uint64(size), pointers)})
}

// more objects of a type that there are some of.
func more(name string, of amount) {
	for i := range found.Types {
		if found.Types[i].Type == name {
			found.Types[i].amount = found.Types[i].amount.and(of)
			return
		}
	}
	panic(name)
}

// text is one string for all: none of its bytes are in the heap.
const text = "a text that the program has"

//go:noinline
func buildKinds() {
	k := &kinds
	shared := make([]*leaf, 0, 4000)
	for i := 0; i < 4000; i++ {
		shared = append(shared, &leaf{a: int64(i)})
	}
	k.leaves = shared
	for i := 0; i < 1010; i++ {
		k.records = append(k.records, &record{})
		if i > 0 {
			k.records[i].next = k.records[i-1]
		}
	}
	for i := 0; i < 2020; i++ {
		k.outers = append(k.outers, &outer{n: int32(i), inner: &inner{next: shared[i]}, leaf: shared[i+1]})
	}
	for i := 0; i < 1030; i++ {
		k.books = append(k.books, &shelf.Book{Title: text})
	}
	for i := 0; i < 1040; i++ {
		k.strings = append(k.strings, &box[string]{value: text})
		k.shelved = append(k.shelved, &box[shelf.Book]{value: shelf.Book{Title: text}})
	}
	for i := 0; i < 1050; i++ {
		k.anonymous = append(k.anonymous, &anonymous{int64(i), shared[i]})
	}
	for i := 0; i < 1060; i++ {
		k.shapes = append(k.shapes, &circle{radius: i, name: shared[i]}, &square{side: i})
	}
	for i := 0; i < 1070; i++ {
		k.arrays = append(k.arrays, &[7]*leaf{shared[i], shared[i+1]})
	}
	buildLocal(shared)
}

// buildLocal has a type that no other function can name.
//
//go:noinline
func buildLocal(shared []*leaf) {
	type local struct {
		p *leaf
		n [4]int64
	}
	all := make([]*local, 1080)
	for i := range all {
		all[i] = &local{p: shared[i]}
	}
	kinds.local = all
	count(local{}, unsafe.Sizeof(local{}), len(all), true)
}

func plantTypes() {
	measure(buildKinds)
	count(leaf{}, unsafe.Sizeof(leaf{}), 4000, false)
	count(record{}, unsafe.Sizeof(record{}), 1010, true)
	count(outer{}, unsafe.Sizeof(outer{}), 2020, true)
	count(inner{}, unsafe.Sizeof(inner{}), 2020, true)
	count(shelf.Book{}, unsafe.Sizeof(shelf.Book{}), 1030, true)
	count(box[string]{}, unsafe.Sizeof(box[string]{}), 1040, true)
	count(box[shelf.Book]{}, unsafe.Sizeof(box[shelf.Book]{}), 1040, true)
	count(anonymous{}, unsafe.Sizeof(anonymous{}), 1050, true)
	count(circle{}, unsafe.Sizeof(circle{}), 1060, true)
	count(square{}, unsafe.Sizeof(square{}), 1060, false)
	count([7]*leaf{}, unsafe.Sizeof([7]*leaf{}), 1070, true)
}
