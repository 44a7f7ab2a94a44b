package longtwins

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"sync"
	"time"

	"example.org/store"
)

func watch(gone <-chan struct{}, done <-chan struct{}, cancel func()) {
	select {
	case <-gone:
		cancel()
	case <-done:
	}
}

func linger(gone <-chan struct{}, cancel func()) {
	<-gone
	cancel()
}

// Attach starts what ends with it.
func (f *Fan) Attach(gone chan struct{}, run func()) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		done := make(chan struct{})
		defer close(done)
		go watch(gone, done, run)
		run()
	}
}

// Linger starts what nobody ends.
func (f *Fan) Linger(gone chan struct{}, run func()) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		go linger(gone, run) // warn goroutine-unbounded
		run()
	}
}

// Answers has goroutines until it ends.
func Answers(streams <-chan chan struct{}, ready chan struct{}) {
	stop := make(chan struct{})
	defer close(stop)
	for {
		select {
		case s := <-streams:
			go watch(s, stop, func() {}) // hint goroutine-unbounded
		case <-ready:
			return
		}
	}
}

// Shards has a lock for some keys alone.
type Shards struct {
	locks []*sync.Mutex
	all   map[string]int
}

// Drop gives back what it took.
func (s *Shards) Drop(keys []string) {
	for n, key := range keys {
		var mu *sync.Mutex
		if s.locks != nil {
			mu = s.locks[n]
			mu.Lock()
		}
		delete(s.all, key)
		if mu != nil {
			mu.Unlock()
		}
	}
}

// Take forgets to where there is nothing.
func (s *Shards) Take(n int, key string) int {
	mu := s.locks[n]
	mu.Lock() // want lock-not-released
	v, ok := s.all[key]
	if !ok {
		return 0
	}
	mu.Unlock()
	return v
}

// Table makes statements.
type Lists struct {
	db *sql.DB
}

// Names makes a statement, which it runs with the context.
func (l *Lists) Names(ctx context.Context) (n int, err error) {
	st, err := l.db.Prepare("SELECT COUNT(*) FROM names") // hint context-not-handed-on
	if err != nil {
		return 0, err
	}
	defer st.Close()
	err = st.QueryRowContext(ctx).Scan(&n)
	return n, err
}

// Count runs it without.
func (l *Lists) Count(ctx context.Context) (n int, err error) {
	err = l.db.QueryRow("SELECT COUNT(*) FROM names").Scan(&n) // want context-not-handed-on
	return n, err
}

// Feed is a stream that is opened once and read on.
type Feed struct {
	client *store.Client
	from   *store.Stream
	last   string
}

// Connect opens what goes on after it.
func (f *Feed) Connect(ctx context.Context) error {
	s, err := f.client.Open(context.Background(), "all") // hint context-not-handed-on
	if err != nil {
		return err
	}
	f.from = s
	return nil
}

// Ask wants an answer, and no more.
func (f *Feed) Ask(ctx context.Context) error {
	s, err := f.client.Read(context.Background(), "one") // warn context-not-handed-on
	if err != nil {
		return err
	}
	f.last = s
	return nil
}

// Follow reads what a call with the context gives.
func (f *Feed) Follow(ctx context.Context, asked <-chan int) int {
	sum := 0
	w := f.client.Watch(ctx, "all")
	for {
		select { // hint select-no-way-out
		case n := <-w.Changes:
			sum += n
		case n := <-asked:
			sum -= n
		}
	}
}

type answers struct{ ok, failed chan int }

func (f *Feed) asked(ctx context.Context, kept map[string]context.Context) *answers {
	kept[f.last] = ctx
	f.note(ctx)
	return &answers{ok: make(chan int), failed: make(chan int)}
}

func (f *Feed) note(context.Context) {}

// Wait has channels of what keeps the context, and does not look for its end.
func (f *Feed) Wait(ctx context.Context, kept map[string]context.Context) int {
	a := f.asked(ctx, kept)
	select { // warn select-no-way-out
	case n := <-a.ok:
		return n
	case n := <-a.failed:
		return -n
	}
}

// Run is one of a group that is waited for at the end.
func (f *Feed) Run(ctx context.Context, wg *sync.WaitGroup) {
	t := time.NewTicker(time.Second) // hint ticker-not-stopped
	defer wg.Done()
	for {
		select {
		case <-t.C:
			f.last = ""
		case <-ctx.Done():
			return
		}
	}
}

// Repair unlocks by what may be called twice.
func (f *Fan) Repair(work func() error) error {
	done := sync.OnceFunc(func() {
		f.mu.Unlock()
	})
	f.mu.Lock()
	defer done()
	if err := work(); err != nil { // hint lock-held-across-wait
		return err
	}
	done()
	return f.again()
}

func (f *Fan) again() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.subs)
	return nil
}

// MemoryUserStore keeps what others keep in a database.
type MemoryUserStore struct {
	mu    sync.Mutex
	users map[string]string
}

// Put adds one.
func (m *MemoryUserStore) Put(userID, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[userID] = name // hint map-only-grows
}

// Sizes reads to the end, unless Scan fails.
func (l *Lists) Sizes(ctx context.Context) (sum int, err error) {
	rows, err := l.db.QueryContext(ctx, "SELECT size FROM names") // hint rows-not-closed
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, rows.Err()
}

// First stops where it has enough.
func (l *Lists) First(ctx context.Context, most int) (sum int, err error) {
	rows, err := l.db.QueryContext(ctx, "SELECT size FROM names") // warn rows-not-closed
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return 0, err
		}
		sum += n
		if sum > most {
			return sum, nil
		}
	}
	return sum, rows.Err()
}

// Both looks at something else first.
func (l *Lists) Both(ctx context.Context) (sum int, err error) {
	rows, err := l.db.QueryContext(ctx, "SELECT size FROM names") // warn rows-not-closed
	if err != nil {
		return 0, err
	}
	if err := l.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM names").Scan(&sum); err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		sum++
	}
	return sum, rows.Err()
}

type size struct{ count, bytes int }

// ServeHTTP adds up by a key of which there are few.
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kinds := r.Form["kind"]
	sums := make(map[string]size) // hint make-without-size
	for i := 0; i < len(kinds); i++ {
		sum := sums[kinds[i]]
		sum.count++
		sums[kinds[i]] = sum
	}
	_ = sums
}

// Reach dials what a caller names.
func (f *Feed) Reach(ctx context.Context, addr string) (net.Conn, error) {
	return net.Dial("tcp", addr) // want context-not-handed-on dial-no-timeout
}
