// A table of eighty megabytes is loaded at the start and stays as it is: it is meant to be there. What grows are the
// alarms that nobody confirms.
package main

import (
	"fmt"
	"time"

	_ "example.com/ways/internal/profiled"
)

type place struct {
	name string
	lat  float64
	long float64
	near [28]int32
}

type atlas struct{ places []place }

type alarm struct {
	next  *alarm
	place int
	text  string
	curve []float32
}

type alarms struct {
	open  *alarm
	count int
}

//go:noinline
func loadAtlas(n int) *atlas {
	a := &atlas{places: make([]place, n)}
	for i := range a.places {
		a.places[i].name, a.places[i].lat = "somewhere", float64(i)
	}
	return a
}

//go:noinline
func newAlarm(p int, name string) *alarm {
	a := &alarm{place: p, text: fmt.Sprintf("water at %s (%d)", name, p), curve: make([]float32, 2000)}
	for i := range a.curve {
		a.curve[i] = float32(p)
	}
	return a
}

func (l *alarms) raise(a *alarm) {
	a.next = l.open
	l.open = a
	l.count++
}

func watch(a *atlas, l *alarms, n int) {
	p := n * 7919 % len(a.places)
	l.raise(newAlarm(p, a.places[p].name))
}

func main() {
	a, l := loadAtlas(80<<20/144), &alarms{}
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*5000); n++ {
			watch(a, l, n)
		}
	}
}
