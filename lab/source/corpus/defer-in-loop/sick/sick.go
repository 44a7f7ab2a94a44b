// What `defer-in-loop` must find.
package sick

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
)

func sizes(paths []string) (n int64, err error) {
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return 0, err
		}
		defer f.Close() // want defer-in-loop
		st, _ := f.Stat()
		n += st.Size()
	}
	return n, nil
}

func locks(mus []*sync.Mutex) {
	for i := range mus {
		mus[i].Lock()
		defer mus[i].Unlock() // want defer-in-loop
	}
}

func serve(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close() // want defer-in-loop
	}
}

func rows(db *sql.DB, qs []string) error {
	for i := 0; i < len(qs); i++ {
		r, err := db.Query(qs[i])
		if err != nil {
			return err
		}
		defer r.Close() // want defer-in-loop
	}
	return nil
}

func cancels(ctx context.Context, n int) {
	for n > 0 {
		c, cancel := context.WithCancel(ctx)
		defer cancel() // want defer-in-loop
		fmt.Println(c)
		n--
	}
}

func bodies(c *http.Client, urls []string) {
	for _, u := range urls {
		resp, err := c.Get(u)
		if err != nil {
			continue
		}
		defer func() { resp.Body.Close() }() // want defer-in-loop
	}
}
