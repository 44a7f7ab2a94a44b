package main

import (
	"fmt"
	"strings"
)

type street struct {
	name   string
	houses []int32
}

// geocoder has all streets in memory, and looks addresses up in them.
type geocoder struct{ streets map[string]*street }

func load(n int) *geocoder {
	g := &geocoder{streets: make(map[string]*street, n)}
	for i := 0; i < n; i++ {
		s := &street{name: fmt.Sprintf("street %d", i), houses: make([]int32, 180)}
		for h := range s.houses {
			s.houses[h] = int32(h * i)
		}
		g.streets[s.name] = s
	}
	return g
}

func tokens(line string) []string {
	return strings.Fields(strings.ToLower(strings.ReplaceAll(line, ",", " ")))
}

type match struct {
	street *street
	house  int32
	words  []string
}

func (g *geocoder) find(line string) *match {
	words := tokens(line)
	s := g.streets[strings.Join(words[:2], " ")]
	if s == nil {
		return nil
	}
	return &match{street: s, house: s.houses[len(words)], words: words}
}

func (g *geocoder) batch(lines []string) (found []*match) {
	for _, l := range lines {
		if m := g.find(l); m != nil {
			found = append(found, m)
		}
	}
	return found
}
