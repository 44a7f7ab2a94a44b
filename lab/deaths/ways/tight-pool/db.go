package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"sync/atomic"
	"time"
)

// server stands for the database: it answers as late as it is said to.
type server struct{ latency int64 }

func (s *server) Connect(context.Context) (driver.Conn, error) { return &serverConn{s}, nil }
func (s *server) Driver() driver.Driver                        { return nil }

type serverConn struct{ server *server }

func (c *serverConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (c *serverConn) Close() error                        { return nil }
func (c *serverConn) Begin() (driver.Tx, error)           { return nil, driver.ErrSkip }

func (c *serverConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	answered := time.NewTimer(time.Duration(atomic.LoadInt64(&c.server.latency)))
	defer answered.Stop()
	select {
	case <-answered.C:
		return &oneRow{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type oneRow struct{ read bool }

func (r *oneRow) Columns() []string { return []string{"stock"} }
func (r *oneRow) Close() error      { return nil }
func (r *oneRow) Next(to []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read, to[0] = true, int64(3)
	return nil
}

func open(s *server) *sql.DB {
	db := sql.OpenDB(s)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	return db
}
