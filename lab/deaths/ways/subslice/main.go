// Sixteen bytes of each message are kept as its key; they are a part of the message's buffer, and keep all of it.
package main

import (
	"bytes"
	"time"

	_ "example.com/ways/internal/profiled"
)

type keys struct{ seen [][]byte }

//go:noinline
func readMessage(n int) []byte {
	m := make([]byte, 256<<10)
	copy(m, "key-0123456789ab\n")
	for i := 17; i < len(m); i++ {
		m[i] = byte(n + i)
	}
	return m
}

func (k *keys) remember(m []byte) {
	k.seen = append(k.seen, m[:bytes.IndexByte(m, '\n')])
}

func (k *keys) consume() {
	for n := 0; ; n++ {
		k.remember(readMessage(n))
		time.Sleep(3 * time.Millisecond)
	}
}

func main() {
	k := &keys{}
	time.Sleep(1300 * time.Millisecond)
	k.consume()
}
