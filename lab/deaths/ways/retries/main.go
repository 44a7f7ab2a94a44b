// A mail server refuses; every letter is tried again after a pause that doubles, and sleeps meanwhile with its
// attachments, each on a goroutine of its own.
package main

import (
	"errors"
	"time"

	_ "example.com/ways/internal/profiled"
)

type letter struct {
	to          string
	attachments [][]byte
}

//go:noinline
func compose(to string) *letter {
	l := &letter{to: to}
	for i := 0; i < 3; i++ {
		a := make([]byte, 70<<10)
		for j := range a {
			a[j] = byte(i)
		}
		l.attachments = append(l.attachments, a)
	}
	return l
}

type mailer struct{ refuses bool }

//go:noinline
func (m *mailer) try(l *letter) error {
	if m.refuses && l.to != "" {
		return errors.New("450 try again later")
	}
	return nil
}

// sendWithRetry sleeps longer each time and gives up after an hour.
func (m *mailer) sendWithRetry(l *letter) {
	for pause := 400 * time.Millisecond; pause < time.Hour; pause *= 2 {
		if m.try(l) == nil {
			return
		}
		time.Sleep(pause)
	}
}

func main() {
	began := time.Now()
	for {
		m := &mailer{refuses: time.Since(began) > 1300*time.Millisecond}
		go func() { m.sendWithRetry(compose("somebody@example.com")) }()
		time.Sleep(4 * time.Millisecond)
	}
}
