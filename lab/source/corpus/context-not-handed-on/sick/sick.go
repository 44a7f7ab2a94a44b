// What `context-not-handed-on` must find.
package sick

import (
	"context"
	"database/sql"
	"net/http"
	"os/exec"
	"time"
)

func load(ctx context.Context, url string) (*http.Request, error) {
	return http.NewRequest("GET", url, nil) // want context-not-handed-on
}

func users(ctx context.Context, db *sql.DB) error {
	_, err := db.Exec("delete from users") // want context-not-handed-on
	return err
}

func show(w http.ResponseWriter, r *http.Request) {
	data, err := fetch(context.Background(), r.URL.Path) // want context-not-handed-on
	if err != nil {
		return
	}
	w.Write(data)
}

func fetch(ctx context.Context, path string) ([]byte, error) { return nil, ctx.Err() }

func build(ctx context.Context, dir string) error {
	return exec.Command("make", "-C", dir).Run() // want context-not-handed-on
}

func count(ctx context.Context, db *sql.DB) (n int) {
	db.QueryRow("select 1").Scan(&n) // want context-not-handed-on
	return n
}

func chain(ctx context.Context) error {
	_, err := fetch(context.TODO(), "x") // want context-not-handed-on
	return err
}

func timed(ctx context.Context) error {
	c, cancel := context.WithTimeout(context.Background(), time.Second) // want context-not-handed-on
	defer cancel()
	_, err := fetch(c, "y")
	return err
}
