package main

import (
	"runtime"
	"unsafe"
)

type link struct {
	next  *link
	value int64
}

type ring struct {
	next, previous *ring
	value          int64
}

type tree struct {
	left, right *tree
	payload     []byte
}

type guarded struct {
	name string
	n    *int64
}

var (
	// deep is a list in which each keeps all behind it.
	deep *link
	// around is a list without an end.
	around *ring
	// wood is a tree with 40 bytes of payload at each node.
	wood *tree
	// first and second hold the same objects: neither alone keeps them.
	first, second []*leaf
	watched       []*guarded
)

const (
	deepLinks    = 100000
	rings        = 10000
	treeDepth    = 12
	watchedCount = 40
	watchedBytes = 20480
)

//go:noinline
func buildDeep() {
	for i := 0; i < deepLinks; i++ {
		deep = &link{deep, int64(i)}
	}
}

//go:noinline
func buildAround() {
	first := &ring{}
	last := first
	for i := 1; i < rings; i++ {
		next := &ring{previous: last, value: int64(i)}
		last.next, last = next, next
	}
	last.next, first.previous = first, last
	around = last
}

func grow(depth int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{grow(depth - 1), grow(depth - 1), make([]byte, 40)}
}

//go:noinline
func buildWood() { wood = grow(treeDepth) }

//go:noinline
func buildShared() {
	first = make([]*leaf, 3000)
	second = make([]*leaf, 3000)
	for i := range first {
		first[i] = &leaf{a: int64(i)}
		second[i] = first[i]
	}
}

// buildWatched has finalizers that hold a buffer each.
//
//go:noinline
func buildWatched() {
	for i := 0; i < watchedCount; i++ {
		g := &guarded{name: text, n: new(int64)}
		held := make([]byte, watchedBytes)
		runtime.SetFinalizer(g, func(*guarded) { held[0]++ })
		watched = append(watched, g)
	}
}

func own(name string, build func(), reckoned amount) {
	near(name, reckoned, measure(build))
	found.Owners = append(found.Owners, owner{name, reckoned})
}

func plantOwners() {
	own("main.deep", buildDeep, several(deepLinks, uint64(unsafe.Sizeof(link{})), true))
	own("main.around", buildAround, several(rings, uint64(unsafe.Sizeof(ring{})), true))
	nodes := 1<<treeDepth - 1
	own("main.wood", buildWood, several(nodes, uint64(unsafe.Sizeof(tree{})), true).and(several(nodes, 40, false)))
	shared := several(3000, uint64(unsafe.Sizeof(leaf{})), false)
	array := several(1, 3000*8, true)
	near("shared", shared.and(array).and(array), measure(buildShared))
	found.Owners = append(found.Owners, owner{"main.first", array}, owner{"main.second", array})
	count(link{}, unsafe.Sizeof(link{}), deepLinks, true)
	count(ring{}, unsafe.Sizeof(ring{}), rings, true)
	count(tree{}, unsafe.Sizeof(tree{}), nodes, true)
	more("main.leaf", shared)
	measure(buildWatched)
	count(guarded{}, unsafe.Sizeof(guarded{}), watchedCount, true)
	found.Finalizers = several(watchedCount, watchedBytes, false)
}

type discarded struct {
	other *discarded
	data  [11]int64
}

var (
	sink      *discarded
	sinkBytes []byte
)

// discard leaves garbage: buffers, and objects in rings that hold each other.
//
//go:noinline
func discard() amount {
	for i := 0; i < 1000; i++ {
		sinkBytes = make([]byte, 4096)
	}
	for i := 0; i < 2500; i++ {
		one, other := &discarded{}, &discarded{}
		one.other, other.other = other, one
		sink = one
	}
	sink, sinkBytes = nil, nil
	return several(1000, 4096, false).and(several(5000, uint64(unsafe.Sizeof(discarded{})), true))
}
