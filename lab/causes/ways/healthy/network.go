package main

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"example.com/causes/internal/plant"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func network() {
	idiom("http-keep-alive", 90, keepAlive)
	idiom("http2", 40, http2)
	idiom("http2-streams", 40, http2Streams)
	idiom("http2-idle", 4, http2Idle)
	idiom("http-handlers", 60, handlers)
	idiom("accept", 10, accept)
	idiom("streams", 120, streams)
	idiom("udp-server", 10, udpServer)
	idiom("unix-sockets", 40, unixSockets)
	idiom("sql-pool", 60, sqlPool)
	idiom("exec-wait", 6, execWait)
	idiom("signals", 20, signals)
	idiom("os-pipe", 20, osPipe)
	idiom("io-pipe", 200, ioPipe)
	idiom("net-pipe", 200, netPipe)
}

// keepAlive is a server and clients whose connections are idle: three goroutines each.
func keepAlive(name string, n int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }),
		ReadHeaderTimeout: time.Hour, IdleTimeout: time.Hour,
	}
	go server.Serve(l)
	transport := &http.Transport{MaxIdleConnsPerHost: n, IdleConnTimeout: time.Hour}
	client := &http.Client{Transport: transport, Timeout: time.Hour}
	plant.AtEnd(transport.CloseIdleConnections)
	var open []*http.Response
	for i := 0; i < n/3; i++ {
		r, err := client.Get("http://" + l.Addr().String())
		must(err)
		open = append(open, r)
	}
	for _, r := range open {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	find := func() {
		for _, f := range []string{"net/http.(*persistConn).readLoop", "net/http.(*persistConn).writeLoop", "net/http.(*conn).serve"} {
			plant.FindN(name, "waits", f, n/3)
		}
	}
	find()
}

// http2 has requests that wait for a slow handler, over one connection.
func http2(name string, n int) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plant.Here(name, "waits")
		select {
		case <-time.After(time.Hour):
		case <-r.Context().Done():
		}
	}))
	s.EnableHTTP2 = true
	s.Config.ReadTimeout, s.Config.WriteTimeout, s.Config.IdleTimeout = time.Hour, time.Hour, time.Hour
	s.StartTLS()
	client := s.Client()
	client.Timeout = time.Hour
	plant.AtEnd(s.CloseClientConnections)
	for i := 0; i < n/2; i++ {
		go func() {
			plant.Here(name, "waits")
			r, err := client.Get(s.URL)
			if err == nil {
				r.Body.Close()
			}
		}()
	}
	time.Sleep(100 * time.Millisecond)
}

// secure is a server of HTTP/2 and a client for it, both with timeouts.
func secure(handler http.HandlerFunc) (*httptest.Server, *http.Client) {
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.Config.ReadTimeout, s.Config.WriteTimeout, s.Config.IdleTimeout = time.Hour, time.Hour, time.Hour
	s.StartTLS()
	client := s.Client()
	client.Timeout = time.Hour
	plant.AtEnd(s.CloseClientConnections)
	return s, client
}

// http2Streams are calls that go on, as those of gRPC: each side waits for what the other will send next.
func http2Streams(name string, n int) {
	s, client := secure(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		plant.Here(name, "waits")
		io.Copy(w, r.Body)
	})
	for i := 0; i < n/2; i++ {
		out, in := io.Pipe()
		plant.AtEnd(func() { in.Close() })
		go func() {
			plant.Here(name, "waits")
			r, err := client.Post(s.URL, "application/grpc", out)
			if err == nil {
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
}

// http2Idle are connections between two calls.
func http2Idle(name string, n int) {
	for i := 0; i < n/2; i++ {
		s, client := secure(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
		r, err := client.Get(s.URL)
		must(err)
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	for _, f := range []string{"net/http.(*http2ClientConn).readLoop", "net/http.(*http2serverConn).serve", "net/http.(*http2serverConn).readFrames"} {
		plant.Find(name, "waits", f)
	}
}

// handlers wait for work that a worker does in its own time; their clients have timeouts.
func handlers(name string, n int) {
	work := make(chan chan string)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			plant.Here(name, "waits")
			reply := make(chan string, 1)
			select {
			case work <- reply:
				io.WriteString(w, <-reply)
			case <-r.Context().Done():
			}
		}),
		ReadTimeout: time.Hour, WriteTimeout: time.Hour,
	}
	go server.Serve(l)
	go func() {
		time.Sleep(time.Hour)
		for reply := range work {
			reply <- "done"
		}
	}()
	client := &http.Client{Timeout: time.Hour}
	for i := 0; i < n/2; i++ {
		go func() {
			plant.Here(name, "waits")
			r, err := client.Get("http://" + l.Addr().String())
			if err == nil {
				r.Body.Close()
			}
		}()
	}
	time.Sleep(50 * time.Millisecond)
}

func accept(name string, n int) {
	wait(name, n, func(int) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(err)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	})
}

// mux is a connection with many streams: a reader, a writer, and calls that wait for their answers.
type mux struct {
	conn    net.Conn
	out     chan []byte
	mu      sync.Mutex
	pending map[uint32]chan []byte
	closed  chan struct{}
}

func (m *mux) read() {
	defer close(m.closed)
	in := bufio.NewReader(m.conn)
	for {
		m.conn.SetReadDeadline(time.Now().Add(time.Hour))
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[4:])&0xffff)
		io.ReadFull(in, body)
		m.mu.Lock()
		c := m.pending[binary.BigEndian.Uint32(head[:])]
		m.mu.Unlock()
		if c != nil {
			c <- body
		}
	}
}

func (m *mux) write() {
	for {
		select {
		case b := <-m.out:
			m.conn.SetWriteDeadline(time.Now().Add(time.Hour))
			m.conn.Write(b)
		case <-m.closed:
			return
		}
	}
}

func (m *mux) call(id uint32) error {
	reply := make(chan []byte, 1)
	m.mu.Lock()
	m.pending[id] = reply
	m.mu.Unlock()
	var head [8]byte
	binary.BigEndian.PutUint32(head[:], id)
	m.out <- head[:]
	select {
	case <-reply:
		return nil
	case <-m.closed:
		return errors.New("closed")
	}
}

func streams(name string, n int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	plant.AtEnd(func() { l.Close() })
	for c := 0; c < 4; c++ {
		conn, err := net.Dial("tcp", l.Addr().String())
		must(err)
		m := &mux{conn: conn, out: make(chan []byte), pending: map[uint32]chan []byte{}, closed: make(chan struct{})}
		wait(name, 1, func(int) { m.read() })
		wait(name, 1, func(int) { m.write() })
		wait(name, n/4-2, func(i int) { _ = m.call(uint32(i)) })
	}
}

func udpServer(name string, n int) {
	wait(name, n, func(int) {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		must(err)
		for buf := make([]byte, 512); ; {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			c.WriteTo(buf[:n], from)
		}
	})
}

func unixSockets(name string, n int) {
	dir, err := os.MkdirTemp("", "healthy")
	must(err)
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	must(err)
	both := func(c net.Conn) {
		for buf := make([]byte, 10); ; {
			c.SetDeadline(time.Now().Add(time.Hour))
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	}
	for i := 0; i < n/2; i++ {
		c, err := net.Dial("unix", l.Addr().String())
		must(err)
		s, err := l.Accept()
		must(err)
		wait(name, 1, func(int) { both(c) })
		wait(name, 1, func(int) { both(s) })
	}
	os.RemoveAll(dir)
}

// ---- database/sql, with a driver of our own

type fakeDriver struct{}
type fakeConn struct{}
type fakeTx struct{}

func (fakeDriver) Open(string) (driver.Conn, error)  { return fakeConn{}, nil }
func (fakeConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("no statements") }
func (fakeConn) Close() error                        { return nil }
func (fakeConn) Begin() (driver.Tx, error)           { return fakeTx{}, nil }
func (fakeTx) Commit() error                         { return nil }
func (fakeTx) Rollback() error                       { return nil }
func init()                                          { sql.Register("fake", fakeDriver{}) }

// sqlPool has two connections, both in a transaction that lasts, and many who wait for one.
func sqlPool(name string, n int) {
	db, err := sql.Open("fake", "")
	must(err)
	db.SetMaxOpenConns(2)
	plant.AtEnd(func() { db.Close() })
	transact := func(ctx context.Context) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return
		}
		time.Sleep(time.Hour)
		tx.Rollback()
	}
	wait(name, 2, func(int) { transact(context.Background()) })
	time.Sleep(20 * time.Millisecond)
	wait(name, n-2, func(i int) {
		ctx := context.Background()
		if i%2 == 0 {
			var cancel func()
			ctx, cancel = context.WithTimeout(ctx, time.Hour)
			defer cancel()
		}
		transact(ctx)
	})
}

// execWait waits for commands that end with us: their input is ours.
func execWait(name string, n int) {
	for i := 0; i < n; i++ {
		cmd := exec.Command("cat")
		in, err := cmd.StdinPipe()
		must(err)
		must(cmd.Start())
		plant.AtEnd(func() { in.Close() })
		wait(name, 1, func(int) { cmd.Wait() })
	}
}

func signals(name string, n int) {
	wait(name, n/2, func(int) {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGUSR1)
		<-c
	})
	wait(name, n-n/2, func(int) {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGUSR2)
		defer stop()
		<-ctx.Done()
	})
}

func osPipe(name string, n int) {
	for i := 0; i < n; i++ {
		r, w, err := os.Pipe()
		must(err)
		plant.AtEnd(func() { w.Close() })
		wait(name, 1, func(int) {
			for s := bufio.NewScanner(r); s.Scan(); {
			}
		})
	}
}

func ioPipe(name string, n int) {
	for i := 0; i < n/2; i++ {
		r, w := io.Pipe()
		plant.AtEnd(func() { w.Close() })
		wait(name, 1, func(int) { io.Copy(io.Discard, r) })
		r2, w2 := io.Pipe()
		plant.Later(func() { r2.Close() })
		wait(name, 1, func(int) { io.WriteString(w2, "x") })
	}
}

func netPipe(name string, n int) {
	for i := 0; i < n; i++ {
		a, b := net.Pipe()
		if i%2 == 0 {
			plant.AtEnd(func() { b.Close() })
		} else {
			a.SetDeadline(time.Now().Add(time.Hour))
		}
		wait(name, 1, func(int) { a.Read(make([]byte, 1)) })
	}
}
