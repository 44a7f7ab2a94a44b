// At most eight exports run at a time, a channel sees to that; the eight that run wait for a printer that is off. All
// others wait for a slot, with their documents.
package main

import (
	"strings"
	"time"

	_ "example.com/ways/internal/profiled"
)

type slots chan struct{}

func (s slots) with(f func()) {
	s <- struct{}{}
	defer func() { <-s }()
	f()
}

type exporter struct {
	slots   slots
	printer chan string
}

type document struct {
	title string
	lines []string
}

//go:noinline
func layOut(title string) *document {
	d := &document{title: title}
	for i := 0; i < 100; i++ {
		d.lines = append(d.lines, strings.Repeat("text and more text ", 120))
	}
	return d
}

func (e *exporter) export(title string) {
	d := layOut(title)
	e.slots.with(func() { e.printer <- strings.Join(d.lines, "\n") })
}

func main() {
	e := &exporter{slots: make(slots, 8), printer: make(chan string)}
	go func() {
		for began := time.Now(); time.Since(began) < 1300*time.Millisecond; {
			<-e.printer
		}
	}()
	for began := time.Now(); ; time.Sleep(4 * time.Millisecond) {
		if time.Since(began) < 1300*time.Millisecond {
			time.Sleep(10 * time.Millisecond)
		}
		go e.export("invoice")
	}
}
