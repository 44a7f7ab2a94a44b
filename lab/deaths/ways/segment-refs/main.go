// A search in an index that is written anew several times a second.
package main

import (
	"errors"
	"fmt"
	"time"

	_ "example.com/ways/internal/debugport"
)

var errSyntax = errors.New("a query without words")

type searcher struct {
	index *index
	terms []string
}

func (s *searcher) query(words ...string) (int, error) {
	seg := s.index.acquire()
	if len(words) == 0 {
		return 0, errSyntax
	}
	found := 0
	for _, w := range words {
		found += len(seg.postings[w])
	}
	s.index.release(seg)
	return found, nil
}

func (s *searcher) reindex() { s.index.publish(newSegment(s.terms, 500)) }

// every does something so many times a second.
func every(perSecond float64, do func(n int)) {
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; float64(n) < time.Since(began).Seconds()*perSecond; n++ {
			do(n)
		}
	}
}

func main() {
	s := &searcher{}
	for i := 0; i < 400; i++ {
		s.terms = append(s.terms, fmt.Sprint("term-", i))
	}
	s.index = &index{current: newSegment(s.terms, 500)}
	every(110, func(n int) {
		s.query("term-1", "term-2")
		if n > 140 && n%3 == 0 {
			s.query()
		}
		if n%2 == 0 {
			s.reindex()
		}
	})
}
