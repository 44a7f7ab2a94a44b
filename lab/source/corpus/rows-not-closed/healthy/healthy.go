// What `rows-not-closed` must not find.
package healthy

import (
	"context"
	"database/sql"
)

func names(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "select name from t")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func handed(db *sql.DB) (*sql.Rows, error) {
	rows, err := db.Query("select 1")
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func one(db *sql.DB) (n int, err error) {
	err = db.QueryRow("select 1").Scan(&n)
	return n, err
}

func scanAll(db *sql.DB, scan func(*sql.Rows) error) error {
	rows, err := db.Query("select 1")
	if err != nil {
		return err
	}
	return scan(rows)
}

func toTheEnd(db *sql.DB) (n int, err error) {
	rows, err := db.Query("select 1")
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		n++
	}
	return n, rows.Err()
}

func checked(db *sql.DB) error {
	rows, err := db.Query("select 1")
	if err != nil {
		return err
	}
	return rows.Close()
}
