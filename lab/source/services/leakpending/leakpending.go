// Package leakpending leaks as a program did before it was mended.
package leakpending

import (
	"context"
	"net"
	"sync"
	"time"
)

type request struct {
	id   uint64
	addr string
}

type Manager struct {
	mu      sync.Mutex
	next    uint64
	pending map[uint64]*request
	conns   map[uint64]net.Conn
	dialer  net.Dialer
}

func NewManager() *Manager {
	return &Manager{pending: map[uint64]*request{}, conns: map[uint64]net.Conn{}, dialer: net.Dialer{Timeout: 5 * time.Second}}
}

func (m *Manager) Connect(ctx context.Context, addr string) error {
	m.mu.Lock()
	m.next++
	r := &request{id: m.next, addr: addr}
	m.pending[r.id] = r // warn not-given-back
	m.mu.Unlock()

	conn, err := m.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pending, r.id)
	m.conns[r.id] = conn
	return nil
}

func (m *Manager) Disconnect(id uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.conns[id]
	if !ok {
		return nil
	}
	delete(m.conns, id)
	return c.Close()
}
