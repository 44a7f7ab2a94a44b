package main

type entry struct {
	key     string
	version uint64
	value   [100]byte
}

type cluster struct {
	peers   []*peer
	entries []entry
}

// gossip tells a peer the latest changes.
func (c *cluster) gossip(p *peer) error { return p.send('d', c.entries[:10]) }

// rejoin gives a peer that was away everything.
func (c *cluster) rejoin(p *peer) error { return p.send('f', c.entries) }
