// What `server-no-timeout` must find.
package sick

import (
	"net"
	"net/http"
	"time"
)

func run(h http.Handler) error {
	return http.ListenAndServe(":8080", h) // want server-no-timeout
}

func secure(h http.Handler) error {
	return http.ListenAndServeTLS(":8443", "c", "k", h) // want server-no-timeout
}

func own(h http.Handler) *http.Server {
	return &http.Server{Addr: ":80", Handler: h} // want server-no-timeout
}

func on(ln net.Listener, h http.Handler) error {
	return http.Serve(ln, h) // want server-no-timeout
}

func written(h http.Handler) error {
	srv := http.Server{Handler: h, WriteTimeout: time.Second} // want server-no-timeout
	return srv.ListenAndServe()
}

func debug() {
	go http.ListenAndServe("localhost:6060", nil) // want server-no-timeout
}
