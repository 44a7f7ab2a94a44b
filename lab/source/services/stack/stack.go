package stack

type Node struct {
	payload []byte
	next    *Node
}

type Stack struct {
	nodes []*Node
}

func (s *Stack) Push(n *Node) { s.nodes = append(s.nodes, n) }

func (s *Stack) Pop() *Node {
	if len(s.nodes) == 0 {
		return nil
	}
	n := s.nodes[len(s.nodes)-1]
	s.nodes = s.nodes[:len(s.nodes)-1] // hint slots-not-cleared
	return n
}
