package firstsight

import (
	"context"
	"database/sql"
	"sync"
)

// Change is one transaction, which its lock guards.
type Change struct {
	mu     sync.Mutex
	tx     *sql.Tx
	closed bool
}

func (t *Change) insert(ctx context.Context, name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.tx.ExecContext(ctx, "INSERT INTO names VALUES (?)", name) // hint lock-held-across-wait
	return err
}

// Names is the twin: its lock is for a list that requests read.
type Names struct {
	mu  sync.Mutex
	db  *sql.DB
	all []string
}

func (n *Names) insert(ctx context.Context, name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err := n.db.ExecContext(ctx, "INSERT INTO names VALUES (?)", name) // warn lock-held-across-wait
	if err == nil {
		n.all = []string{name}
	}
	return err
}

// All is what requests read.
func (n *Names) All() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all
}
