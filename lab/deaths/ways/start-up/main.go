// An index is built while the service starts, out of a snapshot that has grown: it has never answered a request.
package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	_ "example.com/ways/internal/debugport"
)

type posting struct {
	doc       int
	positions []int32
}

type index struct{ words map[string][]posting }

// snapshot has lines without end.
type snapshot struct{ line int }

func (s *snapshot) Read(b []byte) (int, error) {
	text := fmt.Sprintf("w%d w%d w%d w%d\n", s.line%99991, s.line%9973, s.line%997, s.line)
	s.line++
	return copy(b, text), nil
}

//go:noinline
func (ix *index) add(doc int, line string) {
	for i, w := range strings.Fields(line) {
		ix.words[w] = append(ix.words[w], posting{doc: doc, positions: []int32{int32(i), int32(i + 1)}})
	}
}

func loadIndex(r io.Reader) *index {
	ix := &index{words: map[string][]posting{}}
	lines := bufio.NewScanner(r)
	for doc := 0; lines.Scan(); doc++ {
		ix.add(doc, lines.Text())
	}
	return ix
}

func main() {
	ix := loadIndex(&snapshot{})
	fmt.Println("ready:", len(ix.words))
}
