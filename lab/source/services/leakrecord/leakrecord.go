// Package leakrecord leaks as a program did before it was mended.
package leakrecord

import (
	"net/http"
	"net/http/httptest"
)

func Do(h http.Handler, r *http.Request) (*http.Response, error) {
	ans := make(chan *http.Response)
	go func() {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		ans <- rec.Result() // warn send-abandoned
	}()
	select {
	case res := <-ans:
		return res, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
