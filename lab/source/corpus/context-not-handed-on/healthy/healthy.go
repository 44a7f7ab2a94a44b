// What `context-not-handed-on` must not find.
package healthy

import (
	"context"
	"database/sql"
	"net/http"
	"time"
)

func load(ctx context.Context, url string) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, "GET", url, nil)
}

func users(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "delete from users")
	return err
}

func fetch(ctx context.Context, path string) ([]byte, error) { return nil, ctx.Err() }

func start(ctx context.Context) {
	go func() {
		fetch(context.Background(), "audit")
	}()
}

func noContext(db *sql.DB) error {
	_, err := db.Exec("delete from users")
	return err
}

func root() error {
	_, err := fetch(context.Background(), "x")
	return err
}

func serve(ctx context.Context, s *http.Server) error {
	<-ctx.Done()
	c, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return s.Shutdown(c)
}

func defaulted(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	_, err := fetch(ctx, "z")
	return err
}

func later(ctx context.Context, url string) (*http.Request, error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	return req.WithContext(ctx), nil
}
