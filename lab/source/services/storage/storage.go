// Package storage talks to a database.
package storage

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
)

// Repo has a database.
type Repo struct{ db *sql.DB }

// User is a row.
type User struct {
	ID   int64
	Name string
}

// List leaves the rows open where a scan fails.
func (r *Repo) List(ctx context.Context) ([]User, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT id, name FROM users") // want rows-not-closed
	if err != nil {
		return nil, err
	}
	var out []User
	for rows.Next() {
		var u User
		if err := rows.Scan(&u.ID, &u.Name); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	rows.Close()
	return out, rows.Err()
}

// ListClosed closes: healthy.
func (r *Repo) ListClosed(ctx context.Context) (out []User, err error) {
	rows, err := r.db.QueryContext(ctx, "SELECT id, name FROM users")
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := rows.Close(); e != nil && err == nil {
			err = e
		}
	}()
	for rows.Next() {
		var u User
		if err := rows.Scan(&u.ID, &u.Name); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, rows.Err()
}

// Exists has a context and does not use it.
func (r *Repo) Exists(ctx context.Context, id int64) (bool, error) {
	var n int
	err := r.db.QueryRow("SELECT count(*) FROM users WHERE id = ?", id).Scan(&n) // want context-not-handed-on
	return n > 0, err
}

// Query is a helper that hands rows on: healthy.
func (r *Repo) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	rows, err := r.db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", q, err)
	}
	return rows, nil
}

// Count forgets to close what the helper opened.
func (r *Repo) Count(ctx context.Context) (int, error) {
	rows, err := r.query(ctx, "SELECT id FROM users")
	if err != nil {
		return 0, err
	}
	n := 0
	for rows.Next() {
		n++
	}
	return n, nil
}

// Tx leaves a transaction open where the update fails.
func (r *Repo) Rename(ctx context.Context, id int64, name string) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE users SET name = ? WHERE id = ?", name, id); err != nil {
		return err
	}
	return tx.Commit()
}

// Each collects rows in a helper with a callback: healthy.
func Each[T any](ctx context.Context, db *sql.DB, q string, scan func(*sql.Rows) (T, error)) ([]T, error) {
	rows, err := db.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Dump leaves a file open where writing fails.
func Dump(dir string, users []User) error {
	f, err := os.Create(filepath.Join(dir, "users.txt")) // want file-not-closed
	if err != nil {
		return err
	}
	for _, u := range users {
		if _, err := fmt.Fprintln(f, u.ID, u.Name); err != nil {
			return err
		}
	}
	return f.Close()
}

// Statement is prepared and kept: healthy, since Close is there.
type Statement struct{ st *sql.Stmt }

// Prepare prepares.
func Prepare(ctx context.Context, db *sql.DB) (*Statement, error) {
	st, err := db.PrepareContext(ctx, "SELECT 1")
	if err != nil {
		return nil, err
	}
	return &Statement{st: st}, nil
}

// Close gives it back.
func (s *Statement) Close() error { return s.st.Close() }
