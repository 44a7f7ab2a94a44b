// Package lowtwins has what costs little, and beside each the twin that costs.
package lowtwins

import (
	"context"
	"crypto/tls"
	"embed"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"

	"example.org/oidc"
	"golang.org/x/oauth2"
)

//go:embed *.go
var assets embed.FS

// profiles serves this machine alone.
func profiles(port uint16, mux http.Handler) error {
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	return http.ListenAndServe(addr.String(), mux) // hint server-no-timeout
}

// public serves whoever comes.
func public(port uint16, mux http.Handler) error {
	addr := netip.AddrPortFrom(netip.IPv4Unspecified(), port)
	return http.ListenAndServe(addr.String(), mux) // warn server-no-timeout
}

// token serves until the browser has brought one.
func token(ctx context.Context, port int) (string, error) {
	got := make(chan string, 1)
	srv := &http.Server{Addr: fmt.Sprintf(":%d", port)} // hint server-no-timeout
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got <- r.FormValue("token") })
	go func() { _ = srv.ListenAndServe() }()
	defer func() { _ = srv.Shutdown(ctx) }()
	select {
	case t := <-got:
		return t, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// serve does so until the service ends.
func serve(ctx context.Context, port int, handler http.Handler) error {
	srv := &http.Server{Addr: fmt.Sprintf(":%d", port), Handler: handler} // warn server-no-timeout
	go func() { _ = srv.ListenAndServe() }()
	defer func() { _ = srv.Shutdown(ctx) }()
	<-ctx.Done()
	return ctx.Err()
}

// withClient puts a client where the library looks for it, which takes this very context for its requests.
func withClient(ctx context.Context, config *tls.Config) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{ // hint client-no-timeout
		Transport: &http.Transport{TLSClientConfig: config},
	})
}

// keys makes what refreshes keys by its context for as long as it lives.
func keys(ctx context.Context, config *oidc.Config) *oidc.Provider {
	return config.NewProvider(context.Background()) // hint context-not-handed-on
}

// answer only asks once.
func answer(ctx context.Context, config *oidc.Config) ([]byte, error) {
	return config.Fetch(context.Background()) // warn context-not-handed-on
}

// store is asked by what follows.
type store struct{ config *oidc.Config }

// Delete answers before the work is done.
func (s *store) Delete(ctx context.Context, id string) {
	go s.sweep(ctx, id)
}

// sweep goes on after who starts it.
func (s *store) sweep(ctx context.Context, id string) {
	_, _ = s.config.Drop(context.Background(), id) // hint context-not-handed-on
}

// Get is waited for.
func (s *store) Get(ctx context.Context, id string) ([]byte, error) {
	return s.config.Drop(context.Background(), id) // warn context-not-handed-on
}

// pack writes what is part of the program, and what is not.
func pack(w io.Writer, names []string) error {
	for _, name := range names {
		f, err := assets.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() // hint defer-in-loop
		if _, err := io.Copy(w, f); err != nil {
			return err
		}
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() // warn defer-in-loop
		if _, err := io.Copy(w, f); err != nil {
			return err
		}
	}
	return nil
}

// targets is what was opened before.
type target struct{ f *os.File }

func (t *target) Close() { t.f.Close() }

// probe ends all at its end.
func probe(targets []*target) {
	for _, t := range targets {
		defer t.Close() // hint defer-in-loop
	}
}
