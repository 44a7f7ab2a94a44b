// Package radix is a tree of strings by their letters, as a library of somebody else: it knows nothing of who uses it.
package radix

// Tree maps strings to values.
type Tree[V any] struct {
	root node[V]
	size int
}

type node[V any] struct {
	edges [16]*node[V]
	value V
	held  bool
}

// Insert puts a value under a key.
func (t *Tree[V]) Insert(key string, v V) {
	n := t.root.walk(key, true)
	if !n.held {
		t.size++
	}
	n.value, n.held = v, true
}

// Get gives what Insert has put.
func (t *Tree[V]) Get(key string) (V, bool) {
	n := t.root.walk(key, false)
	if n == nil {
		var none V
		return none, false
	}
	return n.value, n.held
}

// Len is how many keys there are.
func (t *Tree[V]) Len() int { return t.size }

// walk goes down half a letter at a time.
func (n *node[V]) walk(key string, grow bool) *node[V] {
	for i := 0; i < len(key); i++ {
		for _, half := range [2]byte{key[i] >> 4, key[i] & 15} {
			if n.edges[half] == nil {
				if !grow {
					return nil
				}
				n.edges[half] = newNode[V]()
			}
			n = n.edges[half]
		}
	}
	return n
}

//go:noinline
func newNode[V any]() *node[V] { return &node[V]{} }
