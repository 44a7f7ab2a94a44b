// What `rows-not-closed` must find.
package sick

import (
	"context"
	"database/sql"
)

func names(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "select name from t") // want rows-not-closed
	if err != nil {
		return nil, err
	}
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

func first(db *sql.DB) (string, error) {
	rows, err := db.Query("select name from t") // want rows-not-closed
	if err != nil {
		return "", err
	}
	var s string
	if rows.Next() {
		err = rows.Scan(&s)
	}
	return s, err
}

func exists(tx *sql.Tx, id int) bool {
	rows, err := tx.Query("select 1 from t where id = ?", id) // want rows-not-closed
	if err != nil {
		return false
	}
	return rows.Next()
}

func columns(db *sql.DB) ([]string, error) {
	rows, err := db.Query("select * from t") // want rows-not-closed
	if err != nil {
		return nil, err
	}
	return rows.Columns()
}

func thrown(db *sql.DB) error {
	_, err := db.Query("update t set x = 1") // want rows-not-closed
	return err
}

func find(st *sql.Stmt, want int) (bool, error) {
	rows, err := st.Query() // want rows-not-closed
	if err != nil {
		return false, err
	}
	for rows.Next() {
		var n int
		if rows.Scan(&n) == nil && n == want {
			return true, nil
		}
	}
	return false, rows.Err()
}
