package main

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
)

const (
	sets       = 20
	setSize    = 5000
	indexes    = 10
	indexSize  = 800
	rows       = 12
	rowSize    = 10000
	texts      = 30
	textSize   = 4096
	pointers   = 6
	pointing   = 700
	lookAlikes = 8
	alikeSize  = 2100
	prices     = 5
	priceSize  = 1300
)

type price struct {
	id     int32
	amount int64
	name   string
}

var (
	indexCopies   []map[string]int
	rowCopies     [][]int64
	textCopies    []string
	pointerCopies [][]*leaf
	alike         []map[int64]int64
	priceCopies   [][]price
	targets       []*leaf
)

// buildSet makes a set of the same ids, in an order of its own; with another last one if it is not to be equal.
//
//go:noinline
func buildSet(begin int, another bool) map[uint32]bool {
	m := make(map[uint32]bool)
	for i := 0; i < setSize; i++ {
		id := uint32((i+begin*131)%setSize) * 2654435761
		if another && (i+begin*131)%setSize == setSize-1 {
			id++
		}
		m[id] = true
	}
	return m
}

// holdSet holds a set until the end.
//
//go:noinline
func holdSet(n int, another bool, ready *sync.WaitGroup) {
	set := buildSet(n, another)
	ready.Done()
	<-release
	runtime.KeepAlive(set)
}

// holdOther holds one that differs in one id.
//
//go:noinline
func holdOther(n int, ready *sync.WaitGroup) {
	set := buildSet(n, true)
	ready.Done()
	<-release
	runtime.KeepAlive(set)
}

func holdSets() {
	var ready sync.WaitGroup
	ready.Add(sets)
	for i := 0; i < sets; i++ {
		go holdSet(i, false, &ready)
	}
	ready.Wait()
}

//go:noinline
func buildIndex(n, wrong int) map[string]int {
	m := map[string]int{}
	for i := 0; i < indexSize; i++ {
		at := (i + n*37) % indexSize
		m[fmt.Sprint("a key of the index, number ", at)] = at
	}
	if wrong >= 0 {
		m[fmt.Sprint("a key of the index, number ", wrong)] = -1
	}
	return m
}

func buildIndexes() {
	for i := 0; i < indexes; i++ {
		indexCopies = append(indexCopies, buildIndex(i, -1))
	}
}

//go:noinline
func buildRow() []int64 {
	row := make([]int64, rowSize)
	for i := range row {
		row[i] = int64(i)*77777 + 5
	}
	return row
}

func buildRows() {
	for i := 0; i < rows; i++ {
		rowCopies = append(rowCopies, buildRow())
	}
}

//go:noinline
func buildText(last byte) string {
	return strings.Repeat("an equal text, ", textSize)[:textSize-1] + string([]byte{last})
}

func buildTexts() {
	for i := 0; i < texts; i++ {
		textCopies = append(textCopies, buildText('.'))
	}
}

func buildPointers() {
	for i := 0; i < pointers; i++ {
		pointerCopies = append(pointerCopies, append([]*leaf(nil), targets[:pointing]...))
	}
}

//go:noinline
func buildPrices(last int64) []price {
	all := make([]price, priceSize)
	for i := range all {
		all[i] = price{int32(i), int64(i) * 19, fmt.Sprint("price ", i)}
	}
	all[priceSize-1].amount = last
	return all
}

func same(typ string, n, elements int, bytes uint64, holder, site string) {
	found.Copies = append(found.Copies, copies{typ, n, elements, bytes, holder, site})
}

func plantCopies() {
	targets = kinds.leaves
	same("map[uint32]bool", sets, setSize, measure(holdSets).Bytes, "main.holdSet", "main.buildSet")
	same("map[string]int", indexes, indexSize, measure(buildIndexes).Bytes, "", "main.buildIndex")
	same("[]int64", rows, rowSize, measure(buildRows).Bytes, "", "main.buildRow")
	same("string", texts, textSize, measure(buildTexts).Bytes, "", "main.buildText")
	same("[]*main.leaf", pointers, pointing, measure(buildPointers).Bytes, "", "main.buildPointers")
	same("[]main.price", prices, priceSize, measure(func() {
		for i := 0; i < prices; i++ {
			priceCopies = append(priceCopies, buildPrices(7))
		}
	}).Bytes, "", "main.buildPrices")
	// Each of these differs in one element.
	var ready sync.WaitGroup
	ready.Add(1)
	go holdOther(3, &ready)
	ready.Wait()
	indexCopies = append(indexCopies, buildIndex(3, 17))
	row := buildRow()
	row[rowSize-1]++
	rowCopies = append(rowCopies, row)
	textCopies = append(textCopies, buildText(','))
	other := append([]*leaf(nil), targets[:pointing]...)
	other[pointing/2] = targets[pointing]
	pointerCopies = append(pointerCopies, other)
	priceCopies = append(priceCopies, buildPrices(8))
	// As many of one type, and nothing else in common.
	for i := 0; i < lookAlikes; i++ {
		m := map[int64]int64{}
		for j := int64(0); j < alikeSize; j++ {
			m[j*int64(i+1)] = j
		}
		alike = append(alike, m)
	}
	found.NotCopies = append(found.NotCopies, collection{"main.alike", "map[int64]int64", alikeSize, 0})
}
