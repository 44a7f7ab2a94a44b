package main

type node struct {
	next  map[rune]*node
	count int
	best  []string
}

func (n *node) child(r rune) *node {
	if n.next == nil {
		n.next = map[rune]*node{}
	}
	c := n.next[r]
	if c == nil {
		c = &node{}
		n.next[r] = c
	}
	return c
}

// learn counts a query and all of its beginnings.
func (n *node) learn(query string) {
	for _, r := range query {
		n = n.child(r)
		n.count++
		if len(n.best) < 3 {
			n.best = append(n.best, query)
		}
	}
}

func (n *node) suggest(start string) []string {
	for _, r := range start {
		if n = n.next[r]; n == nil {
			return nil
		}
	}
	return n.best
}
