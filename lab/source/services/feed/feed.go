// Package feed keeps parts of slices and strings.
package feed

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strings"
)

var a []int

// The notes' own snippet.
func test(b []int) {
	a = b[:3] // want slice-kept
	return
}

var heads [][]byte

// Keep keeps the head of each message.
func Keep(msg []byte) {
	heads = append(heads, msg[:16]) // want append-never-cleared slice-kept
}

// Store has ids of documents.
type Store struct {
	ids  map[string]int
	last []byte
	hist []string
	ring [64]string
	n    int
	buf  []*Doc
}

// Doc is a document.
type Doc struct {
	ID   string
	Body string
}

// Index keeps the id, which is a part of the whole line.
func (s *Store) Index(r io.Reader) error {
	all, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	text := string(all)
	for i, line := range strings.Split(text, "\n") {
		id, _, _ := strings.Cut(line, "\t")
		s.ids[id] = i // want map-only-grows slice-kept
	}
	return nil
}

// IndexCloned copies: healthy.
func (s *Store) IndexCloned(r io.Reader) error {
	sc := bufio.NewScanner(r)
	for n := 0; sc.Scan(); n++ {
		id, _, _ := strings.Cut(sc.Text(), "\t")
		s.ids[strings.Clone(id)] = n
	}
	return sc.Err()
}

// Tail keeps the last ten bytes of a file.
func (s *Store) Tail(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if len(b) > 10 {
		s.last = b[len(b)-10:] // want slice-kept
	}
	return nil
}

// TailCopied copies: healthy.
func (s *Store) TailCopied(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if len(b) > 10 {
		s.last = bytes.Clone(b[len(b)-10:])
	}
	return nil
}

// Note appends to a history that nobody cuts.
func (s *Store) Note(line string) {
	s.hist = append(s.hist, line) // want append-never-cleared
}

// Ring is bounded: healthy.
func (s *Store) Ring(line string) {
	s.ring[s.n%len(s.ring)] = line
	s.n++
}

// Push appends; Flush takes all: healthy.
func (s *Store) Push(d *Doc) {
	s.buf = append(s.buf, d)
}

// Flush hands all out.
func (s *Store) Flush() []*Doc {
	out := s.buf
	s.buf = nil
	return out
}

// Queue is a queue of pointers.
type Queue struct{ docs []*Doc }

// Add adds.
func (q *Queue) Add(d *Doc) { q.docs = append(q.docs, d) }

// Pop moves the head on and leaves the pointer.
func (q *Queue) Pop() *Doc {
	if len(q.docs) == 0 {
		return nil
	}
	d := q.docs[0]
	q.docs = q.docs[1:] // want slots-not-cleared
	return d
}

// Drop cuts the end off.
func (q *Queue) Drop(n int) {
	q.docs = q.docs[:len(q.docs)-n] // want slots-not-cleared
}

// DropCleared clears: healthy.
func (q *Queue) DropCleared(n int) {
	clear(q.docs[len(q.docs)-n:])
	q.docs = q.docs[:len(q.docs)-n]
}

// Lines leaves files open until the end.
func Lines(names []string) (int, error) {
	n := 0
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return n, err
		}
		defer f.Close() // want defer-in-loop
		sc := bufio.NewScanner(f)
		for sc.Scan() {
			n++
		}
	}
	return n, nil
}

// LinesEach closes each: healthy.
func LinesEach(names []string) (int, error) {
	n := 0
	for _, name := range names {
		if err := func() error {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			sc := bufio.NewScanner(f)
			for sc.Scan() {
				n++
			}
			return sc.Err()
		}(); err != nil {
			return n, err
		}
	}
	return n, nil
}
