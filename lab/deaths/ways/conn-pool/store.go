package main

import (
	"errors"
	"sync/atomic"
	"time"

	"example.com/ways/conn-pool/pool"
)

var errReadOnly = errors.New("server is read-only")

type database struct{ readOnly int32 }

type session struct{ db *database }

func (s *session) Exec(query string, args ...interface{}) error {
	time.Sleep(2 * time.Millisecond)
	if atomic.LoadInt32(&s.db.readOnly) != 0 {
		return errReadOnly
	}
	return nil
}

type clickStore struct{ pool *pool.Pool }

func (s *clickStore) insert(rows []interface{}) error {
	c := s.pool.Get()
	err := c.Exec("INSERT INTO clicks VALUES (?, ?, ?)", rows...)
	s.pool.Put(c, err)
	return err
}
