// Package leakproducer leaks as a program did before it was mended.
package leakproducer

import (
	"context"
	"database/sql"
	"errors"
)

type Row struct {
	ID   int64
	Body []byte
}

func stream(ctx context.Context, db *sql.DB, out chan<- Row) error {
	defer close(out)
	rows, err := db.QueryContext(ctx, "select id, body from t")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.ID, &r.Body); err != nil {
			return err
		}
		out <- r // warn send-abandoned
	}
	return rows.Err()
}

func Export(ctx context.Context, db *sql.DB, limit int, put func(Row) error) error {
	if limit <= 0 {
		return errors.New("limit")
	}
	rows := make(chan Row)
	go stream(ctx, db, rows)
	n := 0
	for r := range rows {
		if err := put(r); err != nil {
			return err
		}
		if n++; n == limit {
			return nil
		}
	}
	return nil
}
