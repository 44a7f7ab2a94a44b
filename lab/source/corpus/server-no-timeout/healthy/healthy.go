// What `server-no-timeout` must not find.
package healthy

import (
	"net"
	"net/http"
	"time"
)

func run(h http.Handler) error {
	s := &http.Server{Addr: ":80", Handler: h, ReadHeaderTimeout: 5 * time.Second}
	return s.ListenAndServe()
}

func timed(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadTimeout: time.Second, WriteTimeout: time.Second}
}

func later(h http.Handler) *http.Server {
	s := &http.Server{Handler: h}
	s.ReadTimeout = time.Minute
	return s
}

func given(s *http.Server, ln net.Listener) error { return s.Serve(ln) }

type server struct{ Handler http.Handler }

func mine(h http.Handler) *server { return &server{Handler: h} }

func test(h http.Handler) string { return "http.ListenAndServe" }
