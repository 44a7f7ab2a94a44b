package main

import "net/http"

type counting struct {
	http.ResponseWriter
	written int
}

func (c *counting) Write(p []byte) (int, error) {
	c.written += len(p)
	return c.ResponseWriter.Write(p)
}

func (m *meter) metered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counting{ResponseWriter: w}
		next.ServeHTTP(c, r)
		m.count(r, c.written)
	})
}

func getItem(w http.ResponseWriter, r *http.Request) { w.Write([]byte(`{"ok":true}`)) }
