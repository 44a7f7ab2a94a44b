package main

type message struct{ from, to, size int }

var (
	pointers = make(chan *message, 1)
	values   = make(chan message, 1)
)

func sentAsIs(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		m := message{i, i + 1, i + 2}
		pointers <- &m
		sum += (<-pointers).size
	}
	return sum
}

func sentCured(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		values <- message{i, i + 1, i + 2}
		sum += (<-values).size
	}
	return sum
}
