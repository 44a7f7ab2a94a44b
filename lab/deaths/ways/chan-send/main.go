// Search asks three shards and takes the first answer; the slower two send theirs to nobody, with all the hits that
// they have found.
package main

import (
	"fmt"
	"time"

	_ "example.com/ways/internal/profiled"
)

type hit struct {
	doc   string
	score float64
}

type shard struct {
	name  string
	delay time.Duration
}

//go:noinline
func (s *shard) query(words string) []hit {
	hits := make([]hit, 0, 4000)
	for i := 0; i < cap(hits); i++ {
		hits = append(hits, hit{doc: s.name, score: float64(i * len(words))})
	}
	time.Sleep(s.delay)
	return hits
}

type index []*shard

// first forgets that a channel without room keeps whoever comes too late.
func (ix index) first(words string) []hit {
	answers := make(chan []hit)
	for _, s := range ix {
		go func(s *shard) { answers <- s.query(words) }(s)
	}
	return <-answers
}

func main() {
	ix := index{{"a", time.Millisecond}, {"b", 4 * time.Millisecond}, {"c", 8 * time.Millisecond}}
	time.Sleep(1300 * time.Millisecond)
	for i := 0; ; i++ {
		ix.first(fmt.Sprint("words ", i))
		time.Sleep(2 * time.Millisecond)
	}
}
