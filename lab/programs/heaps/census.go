package main

import (
	"container/list"
	"fmt"
	"sync"
)

type item struct {
	id   int64
	name string
}

// store is what a cache looks like: entries behind a lock.
type store struct {
	mu      sync.RWMutex
	name    string
	entries map[string]*item
	order   *list.List
	recent  []*item
}

var (
	cache    = &store{name: "cache"}
	registry map[int64]struct{}
	numbers  []int64
	queue    chan *item
	nested   map[string][]int32
	once     sync.Map
	growing  map[int64]int64
)

//go:noinline
func buildCache() {
	cache.entries = map[string]*item{}
	for i := 0; i < 12000; i++ {
		it := &item{int64(i), fmt.Sprint("entry of the cache ", i)}
		cache.entries[it.name] = it
	}
	cache.recent = make([]*item, 0, 4096)
	for i := 0; i < 3000; i++ {
		cache.recent = append(cache.recent, cache.entries[fmt.Sprint("entry of the cache ", i)])
	}
}

//go:noinline
func buildCollections() {
	registry = map[int64]struct{}{}
	for i := int64(0); i < 230000; i++ {
		registry[i*7919] = struct{}{}
	}
	numbers = make([]int64, 70000)
	for i := range numbers {
		numbers[i] = int64(i) * 31
	}
	queue = make(chan *item, 5000)
	for i := 0; i < 1234; i++ {
		queue <- &item{int64(i), text}
	}
	nested = map[string][]int32{}
	for i := 0; i < 900; i++ {
		one := make([]int32, 64)
		one[0] = int32(i)
		nested[fmt.Sprint("nested ", i)] = one
	}
	for i := 0; i < 1500; i++ {
		once.Store(i, fmt.Sprint("stored once ", i))
	}
	// Just over the number at which it doubles: with the maps of before Go 1.24 most of it is still in the old half.
	growing = map[int64]int64{}
	for i := int64(0); i < 13*1024+8; i++ {
		growing[i] = -i
	}
}

func plantCensus() {
	measure(buildCache)
	measure(buildCollections)
	found.Types = append(found.Types, kind{"main.item", several(12000+1234, 24, true)})
	found.Census = append(found.Census,
		collection{"main.cache.entries", "map[string]*main.item", 12000, 0},
		collection{"main.cache.recent", "[]*main.item", 3000, 4096},
		collection{"main.registry", "map[int64]struct {}", 230000, 0},
		collection{"main.numbers", "[]int64", 70000, 70000},
		collection{"main.queue", "chan *main.item", 1234, 5000},
		collection{"main.nested", "map[string][]int32", 900, 0},
		collection{"main.growing", "map[int64]int64", 13*1024 + 8, 0},
	)
}
