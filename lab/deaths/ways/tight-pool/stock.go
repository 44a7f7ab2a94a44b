package main

import (
	"context"
	"database/sql"
	"time"
)

type position struct {
	article [24]byte
	amount  int64
	options [12]int64
}

type order struct {
	id        int
	positions []position
}

func parseOrder(id int) *order {
	o := &order{id: id, positions: make([]position, 2200)}
	for i := range o.positions {
		o.positions[i].amount = int64(i % 9)
		copy(o.positions[i].article[:], "ART-0001")
	}
	return o
}

type stock struct{ db *sql.DB }

func (s *stock) level(ctx context.Context, id int) (level int64, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT stock FROM articles WHERE id = ?", id).Scan(&level)
	return level, err
}

func (s *stock) reserve(id int) (int64, error) {
	o := parseOrder(id)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	level, err := s.level(ctx, o.id)
	if err != nil {
		return 0, err
	}
	for _, p := range o.positions {
		level -= p.amount
	}
	return level, nil
}
