package orders

import (
	"database/sql"
	"fmt"
)

type Repo struct{ db *sql.DB }

func (r *Repo) First(user int64) (int64, error) {
	rows, err := r.db.Query("select id from orders where user_id = ?", user) // warn rows-not-closed
	if err != nil {
		return 0, err
	}
	if !rows.Next() {
		return 0, fmt.Errorf("user %d has no orders", user)
	}
	var id int64
	if err := rows.Scan(&id); err != nil {
		return 0, err
	}
	return id, nil
}

func (r *Repo) Names(ids []int64) ([]string, error) {
	var names []string
	for _, id := range ids {
		rows, err := r.db.Query("select name from users where id = ?", id)
		if err != nil {
			return nil, err
		}
		defer rows.Close() // warn defer-in-loop
		for rows.Next() {
			var n string
			if err := rows.Scan(&n); err != nil {
				return nil, err
			}
			names = append(names, n)
		}
	}
	return names, nil
}
